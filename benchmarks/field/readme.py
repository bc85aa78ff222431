"""The table (Markdown, printed) and figure (SVG) of docs/benchmarks.md, from the CSV of a comparison."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..asked import average
from ..cases import SAMPLER
from .cases import SHOWN, trained
from .chart import Line, chart_svg
from .entries import FieldEntry, FieldResults, compare
from .records import OURS, PUBLISHED, read_records
from .tables import leading_entry

# Step counts of the table.
COLUMNS = (5, 8, 10, 20)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sigmasmith.benchmarks readme", description=__doc__)
    parser.add_argument("--csv", type=Path, default=Path("out/benchmark.csv"), help="default %(default)s")
    parser.add_argument("--figure", type=Path, default=Path("docs/benchmark.svg"), help="default %(default)s")
    parser.add_argument("--trained", action="store_true", help="of the trained models alone, without the mixtures")
    args = parser.parse_args(argv)
    if not args.csv.is_file():
        print(f"--csv: there is no {args.csv}; run python -P -m sigmasmith.benchmarks first", file=sys.stderr)
        return 2
    records = [record for record in read_records(args.csv) if not args.trained or trained(record.case)]
    comparison = compare(records)
    for line in table(comparison):
        print(line)
    args.figure.write_text(figure(comparison), encoding="utf-8")
    print(f"\n{args.figure} written.", file=sys.stderr)
    return 0


def table(comparison: FieldResults) -> Iterator[str]:
    """Markdown: how many times nearer than the best host schedule with SAMPLER, agreement, and cost of the fit."""
    columns = [count for count in COLUMNS if count in comparison.steps]
    heads = ["", "sampler", *(f"{count} steps" for count in columns), f"same class, {SHOWN} steps", "fit, evaluations"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    leading = leading_entry(comparison)
    for entry in comparison.entries:
        cells = [_ratio(comparison.gain(entry, count)) for count in columns]
        share = comparison.mean(entry, SHOWN, lambda r: r.agreement)
        cost = average(r.evaluations for r in entry.cells.values() if r.evaluations > 0)
        row = [
            entry.method.replace("*", "\\*"),
            entry.sampler.replace("*", "\\*"),
            *cells,
            "-" if math.isnan(share) else f"{100 * share:.1f} %",
            "-" if math.isnan(cost) else f"{cost:,.0f}",
        ]
        bold = entry is leading
        yield "| " + " | ".join(f"**{cell}**" if bold else cell for cell in row) + " |"


def figure(comparison: FieldResults) -> str:
    """SVG: error over steps, geometric average over cases."""
    lines = []
    leading = leading_entry(comparison)
    for entry in _drawn(comparison, leading):
        errors = {count: average(r.error for r in entry.records(count, comparison.cases)) for count in comparison.steps}
        points = [(count, error) for count, error in errors.items() if not math.isnan(error)]
        lines.append(Line(entry.name.replace("*", ""), points, strong=entry is leading))
    title = f"Error of the end state, geometric average over {len(comparison.cases)} cases"
    return chart_svg(title, "steps (model calls)", lines)


def _drawn(comparison: FieldResults, leading: FieldEntry | None) -> list[FieldEntry]:
    """The hosts', the best published one with SAMPLER, and ours: the schedule alone, and all that was fitted."""
    drawn = list(comparison.entries[:3])
    published = [e for e in comparison.entries if e.kind == PUBLISHED and e.sampler == SAMPLER]
    rated = [e for e in published if not math.isnan(comparison.gain(e, SHOWN))]
    drawn += sorted(rated, key=lambda e: -comparison.gain(e, SHOWN))[:1]
    if leading is not None:
        plain = [e for e in comparison.entries if e.kind == OURS and e.sampler == SAMPLER]
        drawn += [*plain[-1:], leading]
    return list({id(e): e for e in drawn}.values())


def _ratio(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}x"
