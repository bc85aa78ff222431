"""The records of a comparison as lines of a table: one per method and sampler, with the hosts' best picked per cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...schedules.hosts.schedules import DEFAULT_HOST
from ..asked import average
from ..cases import SAMPLER
from .records import HOST, OURS, PUBLISHED, Record

BEST, ANY = "best host schedule*", "best of all*"


@dataclass(frozen=True)
class FieldEntry:
    """One line.

    Args:
        cells: (case, steps) -> record.
    """

    kind: str
    method: str
    sampler: str
    cells: dict[tuple[str, int], Record]

    @property
    def name(self) -> str:
        return f"{self.method}, {self.sampler}"

    def records(self, steps: int, cases: Iterable[str]) -> list[Record]:
        """Of one step count; empty where a case is missing."""
        records = [self.cells.get((case, steps)) for case in cases]
        return [record for record in records if record is not None] if None not in records else []


@dataclass(frozen=True)
class FieldResults:
    """All entries, the hosts' first, ours last."""

    entries: tuple[FieldEntry, ...]
    cases: tuple[str, ...]
    steps: tuple[int, ...]

    def find(self, method: str, sampler: str) -> FieldEntry | None:
        return next((e for e in self.entries if (e.method, e.sampler) == (method, sampler)), None)

    @property
    def base(self) -> FieldEntry:
        """The best host schedule with SAMPLER, which errors are shown beside."""
        return self._host(SAMPLER)

    @property
    def best_of_all(self) -> FieldEntry:
        """The best host schedule with the best of the hosts' samplers."""
        return self._host(ANY)

    def _host(self, sampler: str) -> FieldEntry:
        return next(e for e in self.entries if (e.kind, e.method, e.sampler) == (HOST, BEST, sampler))

    def gain(
        self, entry: FieldEntry, steps: int, over: FieldEntry | None = None, cases: Sequence[str] | None = None
    ) -> float:
        """How many times lower the entry's error is than that of `over` (default: base), geometric average; NaN where
        it was not run at that step count."""
        ratios = self.gains(entry, steps, over, cases)
        return average(ratios.values())

    def gains(
        self, entry: FieldEntry, steps: int, over: FieldEntry | None = None, cases: Sequence[str] | None = None
    ) -> dict[str, float]:
        """The same, case by case."""
        chosen, other = self.cases if cases is None else cases, self.base if over is None else over
        pairs = zip(chosen, other.records(steps, chosen), entry.records(steps, chosen))
        return {case: one.error / mine.error for case, one, mine in pairs}

    def mean(self, entry: FieldEntry, steps: int, figure: Callable[[Record], float]) -> float:
        """Mean of a figure over cases; NaN where it was not run."""
        figures = [figure(record) for record in entry.records(steps, self.cases)]
        return sum(figures) / len(figures) if figures else math.nan


def compare(records: Sequence[Record]) -> FieldResults:
    """The comparison that these records hold."""
    entries = [*_hosts(records), *_fitted(records, PUBLISHED), *_fitted(records, OURS)]
    run = [record for record in records if record.kind != HOST] or list(records)
    cases = tuple(dict.fromkeys(record.case for record in records))
    return FieldResults(tuple(entries), cases, tuple(sorted({record.steps for record in run})))


def _hosts(records: Sequence[Record]) -> list[FieldEntry]:
    """The hosts' default, and the best of theirs in every cell, in hindsight: with one sampler, and with any."""
    judged = [record for record in records if record.kind == HOST and record.judged]
    default = {_cell(r): r for r in judged if r.method == DEFAULT_HOST and r.sampler == SAMPLER}
    own, best = dict[tuple[str, int], Record](), dict[tuple[str, int], Record]()
    for record in sorted(judged, key=lambda r: r.error):
        if record.sampler == SAMPLER:
            own.setdefault(_cell(record), record)
        best.setdefault(_cell(record), record)
    return [
        FieldEntry(HOST, DEFAULT_HOST, SAMPLER, default),
        FieldEntry(HOST, BEST, SAMPLER, own),
        FieldEntry(HOST, BEST, ANY, best),
    ]


def _fitted(records: Sequence[Record], kind: str) -> list[FieldEntry]:
    names = dict.fromkeys((r.method, r.sampler) for r in records if r.kind == kind)
    return [
        FieldEntry(kind, *name, {_cell(r): r for r in records if r.kind == kind and (r.method, r.sampler) == name})
        for name in names
    ]


def _cell(record: Record) -> tuple[str, int]:
    return record.case, record.steps
