"""The records of the comparison with the field, one per run, in memory and as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

HOST, PUBLISHED, OURS = "host", "published", "ours"


@dataclass(frozen=True)
class Record:
    """One schedule with one sampler on one case.

    Attributes:
        kind: HOST, PUBLISHED or OURS.
        method: the host's schedule, or the method that fitted one.
        steps: model calls per sample that it may spend; a sampler of two calls per step makes half as many steps.
        noises: held-out noises it was run on; figures other than `error` only where that is all of them, else NaN.
        error, low, middle, high, switched, distance, agreement: see judge.Judgement.
        evaluations: of the fit, per calibration noise, all its step counts together; 0 for the hosts' schedules.
        seconds, cpu: wall-clock and processor time of that fit.
    """

    case: str
    kind: str
    method: str
    sampler: str
    steps: int
    noises: int
    error: float
    low: float = math.nan
    middle: float = math.nan
    high: float = math.nan
    switched: float = math.nan
    distance: float = math.nan
    agreement: float = math.nan
    evaluations: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def judged(self) -> bool:
        """Whether it was run on all noises."""
        return not math.isnan(self.agreement)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """CSV with a head line; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Record)])
        writer.writeheader()
        for record in records:
            row = asdict(record)
            writer.writerow({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()})


def read_records(path: Path) -> list[Record]:
    """The records of such a file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_record(row) for row in csv.DictReader(file)]


def _record(row: dict[str, str]) -> Record:
    given: dict[str, Any] = {}
    for name, value in row.items():
        match name:
            case "case" | "kind" | "method" | "sampler":
                given[name] = value
            case "steps" | "noises":
                given[name] = int(value)
            case _:
                given[name] = float(value)
    return Record(**given)
