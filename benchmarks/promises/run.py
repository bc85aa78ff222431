"""Every figure promised of schedules, on the bundled models: python -P -m sigmasmith.benchmarks compare"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..cases import CASES, QUICK_CASES, REFERENCE_LEVELS, SAMPLER, STEPS, Options
from ..processes import DEFAULT_JOBS, at_least, measured
from .figures import CaseFigures, measure
from .tables import csv_rows, report

_QUICK = Options(noises=32, calibration=16, small=(4,), euler=16, images=4, partial_noises=16, rounded_noises=16)


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    unknown = [key for key in args.cases or () if key not in CASES]
    if unknown:
        print(f"--cases: {unknown[0]!r} is none of {', '.join(CASES)}", file=sys.stderr)
        return 2
    options = _options(args)
    keys = args.cases or (QUICK_CASES if args.quick else tuple(CASES))
    started = time.monotonic()
    print(
        f"{len(keys)} cases (model:guidance), {SAMPLER} at {'/'.join(map(str, STEPS))} steps, {options.noises} "
        f"held-out noises,\n{options.calibration} calibration noises. Error: geometric mean over noises of the RMSE "
        f"of the end state to {REFERENCE_LEVELS} levels.\n",
        flush=True,
    )
    figures = _measure_all(keys, options, args.jobs)
    for line in report(figures):
        print(line)
    if args.csv is not None:
        _write_csv(args.csv, figures)
    print(f"\nDone in {time.monotonic() - started:.0f} s.")
    return 0


def _options(args: argparse.Namespace) -> Options:
    plan = _QUICK if args.quick else Options()
    noises = args.noises or plan.noises
    return replace(
        plan,
        noises=noises,
        calibration=args.calibration_noises or plan.calibration,
        partial_noises=min(noises, plan.partial_noises),
        rounded_noises=min(noises, plan.rounded_noises),
    )


def _measure_all(keys: Sequence[str], options: Options, jobs: int) -> list[CaseFigures]:
    """The cases in the order given; guided ones are started first, they take twice as long."""
    order = sorted(keys, key=lambda key: -CASES[key][1])
    figures_of: dict[str, CaseFigures] = {}
    for key, figures in measured(measure, order, options, jobs):
        figures_of[key] = figures
        print(f"  {key}: measured in {figures.seconds:.0f} s", file=sys.stderr, flush=True)
    return [figures_of[key] for key in keys]


def _write_csv(path: Path, figures: Sequence[CaseFigures]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "table", "schedule", "steps", "value"))
        writer.writerows(csv_rows(figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sigmasmith.benchmarks compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the digits models and few noises")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--noises", type=at_least(2), help="held-out noises, default 128 (--quick: 32)")
    parser.add_argument("--calibration-noises", type=at_least(3), help="of the fits, default 64 (--quick: 16)")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="also write every measurement to this file")
    parser.add_argument("--jobs", type=at_least(1), default=DEFAULT_JOBS, help="processes, default %(default)s")
    return parser
