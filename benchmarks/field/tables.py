"""The comparison with the field in print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..asked import average, verdict
from ..cases import SAMPLER
from .cases import SHOWN, TEACHER_STEPS, trained
from .entries import ANY, FieldEntry, FieldResults
from .hindsight import TWICE
from .methods import LEADING
from .records import Record

# Below this a Frechet distance is rounding.
_FLOOR = 1e-6


def report(comparison: FieldResults) -> Iterator[str]:
    """All tables, and the figures asked for."""
    yield from main_table(comparison)
    yield ""
    leading = leading_entry(comparison)
    if leading is None:
        return
    for over in (comparison.base, comparison.best_of_all):
        yield from case_table(comparison, leading, over)
        yield ""
    yield from quantile_table(comparison)
    yield ""
    yield from verdicts(comparison, leading)


def leading_entry(comparison: FieldResults) -> FieldEntry | None:
    """Ours, at the effort that promises are made for, with the sampler of our own where it was run."""
    return next((e for name in LEADING if (e := comparison.find(*name)) is not None), None)


def main_table(comparison: FieldResults) -> Iterator[str]:
    """One line per method and sampler."""
    steps = comparison.steps
    yield (
        f"Error of the best host schedule with {SAMPLER} / error of the method, geometric average over "
        f"{len(comparison.cases)} cases; above 1 is better."
    )
    yield f"* picked in hindsight, per case and step count. At {SHOWN} steps: share of samples that changed mode,"
    yield "Frechet distance to the converged samples (geometric average), same class as the 100-step teacher's."
    yield "Evaluations of the fit, per sample and for all its step counts; seconds of it, wall clock and processor."
    columns = [f"{f'{count}':>6}" for count in steps]
    heads = f"{'moved':>7}{'frechet':>9}{'agree':>8}{'evals':>7}{'s':>6}{'cpu':>6}"
    yield f"{'method':<20} {'sampler':<21}{''.join(columns)} {heads}"
    for entry in comparison.entries:
        gains = [comparison.gain(entry, count) for count in steps]
        cost = [r for r in entry.cells.values() if r.kind == entry.kind]
        evaluations, seconds, cpu = (
            sum(getattr(r, name) for r in cost) / max(len(cost), 1) for name in ("evaluations", "seconds", "cpu")
        )
        yield (
            f"{entry.method:<20} {entry.sampler:<21}{''.join(_number(gain, 6, 2) for gain in gains)} "
            f"{_percent(comparison.mean(entry, SHOWN, lambda r: r.switched)):>7}"
            f"{_number(_distance(comparison, entry), 9, 4)}"
            f"{_percent(comparison.mean(entry, SHOWN, _agreement)):>8}"
            f"{evaluations:>7.0f}{seconds:>6.0f}{cpu:>6.0f}"
        )


def case_table(comparison: FieldResults, entry: FieldEntry, over: FieldEntry) -> Iterator[str]:
    """Ratios of every case and step count, with what was best there."""
    yield f"Error of {over.name} / error of {entry.name}"
    rows: dict[str, list[str]] = {}
    for case in comparison.cases:
        for count in comparison.steps:
            gain = comparison.gains(entry, count, over, [case]).get(case, math.nan)
            best = over.cells[case, count]
            note = best.method if over.sampler != ANY else f"{best.method} {best.sampler}"
            rows.setdefault(case, []).append(f"{gain:.2f} {note}")
    wide = 2 + max(len(text) for row in rows.values() for text in row)
    yield f"  {'':<16}" + "".join(f"{f'{count} steps':<{wide}}" for count in comparison.steps)
    for case, row in rows.items():
        yield f"  {case:<16}" + "".join(f"{text:<{wide}}" for text in row)


def quantile_table(comparison: FieldResults) -> Iterator[str]:
    """10, 50 and 90 % quantiles of the samples' errors at SHOWN steps, geometric average over cases."""
    yield f"Quantiles of the error at {SHOWN} steps, geometric average over cases:  10 %    50 %    90 %   mean"
    for entry in comparison.entries:
        records = entry.records(SHOWN, comparison.cases)
        if records:
            shown = [average(getattr(r, name) for r in records) for name in ("low", "middle", "high", "error")]
            yield f"  {entry.method:<20} {entry.sampler:<45} " + "".join(f"{value:8.4f}" for value in shown)


def verdicts(comparison: FieldResults, entry: FieldEntry) -> Iterator[str]:
    """Each figure that was asked for beside the figure measured: on all cases, and on the trained models alone, which
    are nearer to what people run than mixtures are."""
    groups = {"all cases": comparison.cases, "trained models alone": tuple(filter(trained, comparison.cases))}
    for name, cases in groups.items():
        if cases and (name == "all cases" or cases != comparison.cases):
            yield f"Figures asked of {entry.name}: {name}"
            yield from _asked(replace(comparison, cases=cases), entry)


def _asked(comparison: FieldResults, entry: FieldEntry) -> Iterator[str]:
    for over, asked in (
        (comparison.base, {5: 2.3, 8: 4.0, 10: 4.0}),
        (comparison.best_of_all, {5: 1.8, 8: 2.3, 10: 2.3}),
    ):
        for count, least in asked.items():
            if count in comparison.steps:
                yield verdict(f"{over.name} / ours, {count} steps", comparison.gain(entry, count, over), least)
    for count in TWICE:
        held = [case for case in comparison.cases if (case, 2 * count) in comparison.base.cells]
        if count in comparison.steps and held:
            nearer = [entry.cells[c, count].error <= comparison.base.cells[c, 2 * count].error for c in held]
            yield verdict(f"share of cases: {count} steps as near as {2 * count} of the host", _mean(nearer), 0.75)
    if SHOWN in comparison.steps:
        text = f"class agreement with the {TEACHER_STEPS}-step teacher, {SHOWN} steps, %"
        yield verdict(text, 100.0 * comparison.mean(entry, SHOWN, _agreement), 99.4)
        for one in comparison.entries[:3]:
            yield f"      beside it, {one.name}: {100.0 * comparison.mean(one, SHOWN, _agreement):.2f}"


def _agreement(record: Record) -> float:
    return record.agreement


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)


def _distance(comparison: FieldResults, entry: FieldEntry) -> float:
    return average(max(r.distance, _FLOOR) for r in entry.records(SHOWN, comparison.cases))


def _number(value: float, width: int, digits: int) -> str:
    return f"{'-' if math.isnan(value) else f'{value:.{digits}f}':>{width}}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100.0 * share:.1f}%"
