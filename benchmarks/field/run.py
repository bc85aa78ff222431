"""The comparison with the field: every case measured in processes of its own, the CSV written, the tables printed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..processes import DEFAULT_JOBS, at_least, measured
from .cases import FIELD_CASES, QUICK_FIELD_CASES, trained
from .entries import compare
from .measure import QUICK, FieldOptions, all_methods, measure_case
from .records import Record, write_records
from .tables import report

DEFAULT_CSV = Path("out/benchmark.csv")


def main(argv: Sequence[str], *, about: str, commands: str) -> int:
    """Measure, write and print; `about` and `commands` are for --help. Returns the exit status."""
    args = _parser(about, commands).parse_args(argv)
    options = replace(QUICK if args.quick else FieldOptions(), methods=tuple(args.methods) if args.methods else None)
    known = [method.name for method in all_methods(replace(options, methods=None))]
    for option, names, allowed in (("--cases", args.cases, FIELD_CASES), ("--methods", args.methods, known)):
        unknown = [name for name in names or () if name not in allowed]
        if unknown:
            print(f"{option}: {unknown[0]!r} is none of {'; '.join(allowed)}", file=sys.stderr)
            return 2
    keys = args.cases or (QUICK_FIELD_CASES if args.quick else tuple(FIELD_CASES))
    started = time.monotonic()
    records = _measure_all(keys, options, args.jobs, args.csv)
    print(
        f"{len(keys)} cases (model:guidance), {options.noises} held-out and {options.calibration} calibration noises."
    )
    for line in report(compare(records)):
        print(line)
    print(f"\nEvery measurement is in {args.csv}. Done in {time.monotonic() - started:.0f} s.")
    return 0


def _measure_all(keys: Sequence[str], options: FieldOptions, jobs: int, csv: Path) -> list[Record]:
    """Records in the order of the keys; the longest cases are started first: trained models, guided before others.
    The file grows case by case, so that a run cut short leaves what it measured."""
    order = sorted(keys, key=lambda key: (not trained(key), -FIELD_CASES[key][1]))
    measurements: dict[str, list[Record]] = {}
    records: list[Record] = []
    for key, (records, seconds, cpu) in measured(measure_case, order, options, jobs):
        measurements[key] = records
        records = [record for name in keys for record in measurements.get(name, [])]
        write_records(csv, records)
        print(f"  {key}: {seconds:.0f} s, {cpu:.0f} s of processor", file=sys.stderr, flush=True)
    return records


def _parser(about: str, commands: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks",
        usage="%(prog)s [COMMAND] [options]",
        description=about,
        epilog=commands,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few cases, step counts and noises")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help=f"some of: {', '.join(FIELD_CASES)}")
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", help="fit with these alone, beside the hosts' schedules"
    )
    parser.add_argument("--csv", type=Path, default=DEFAULT_CSV, metavar="OUT", help="default %(default)s")
    parser.add_argument("--jobs", type=at_least(1), default=DEFAULT_JOBS, help="processes, default %(default)s")
    return parser
