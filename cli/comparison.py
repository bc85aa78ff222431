"""Schedules at equal cost: how far each ends from a fine reference, on noises that no fit has seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..schedules.core.metrics import geometric_mean, mode_switches, sample_errors
from ..schedules.core.types import Progress, SamplerFunction, Schedule
from .subjects import PlainSubject

SIMPLE = "simple"
# Levels of the reference, and of a coarser one that tells how exact it is.
REFERENCE_LEVELS = 200
COARSE_LEVELS = 100
# Comparisons start from other noises than fits with the same --seed.
_SEED_OFFSET = 1_000_003
# Errors below this are equal to the reference for float32.
_FLOOR = 1e-12


@dataclass(frozen=True)
class ConvergedEnds:
    """Converged end states of a batch.

    Attributes:
        noise, end: (B, ...) start noise, and end state with REFERENCE_LEVELS levels.
        coarse: end state with COARSE_LEVELS.
    """

    noise: Tensor
    end: Tensor
    coarse: Tensor

    @property
    def error(self) -> float:
        """Distance of the two, more than the reference's own error."""
        return geometric_mean(sample_errors(self.coarse, self.end))

    @property
    def in_words(self) -> str:
        """One sentence: how exact the reference is."""
        return f"The reference has {REFERENCE_LEVELS} levels; with half of them it ends {self.error:.5f} away."

    def from_noise(
        self, subject: PlainSubject, sampler: str | SamplerFunction, sigmas: Tensor, rows: int | None = None
    ) -> Tensor:
        """(B, ...) ends on the first `rows` of these noises as hosts start them: a lower first sigma, less noise."""
        return subject.end_states(self.noise[:rows] * float(sigmas[0]), sampler, sigmas)


@dataclass
class Table:
    """Errors of one model and sampler: geometric mean over noises of the end state's RMSE.

    Args:
        title: what was run.
        steps: the columns.
        focus: the schedule that the others are rivals of; first row.
        rivals: what the others are, in a word.
        errors: schedule -> steps -> error.
        switched: schedule -> steps -> noises that ended in another image than the reference's.
    """

    title: str
    steps: tuple[int, ...]
    focus: str
    rivals: str = "other"
    errors: dict[str, dict[int, float]] = field(default_factory=dict)
    switched: dict[str, dict[int, int]] = field(default_factory=dict)

    def best_rival(self, steps: int) -> str | None:
        """The schedule with the smallest error, the focus apart."""
        rivals = [name for name in self.errors if name != self.focus]
        return min(rivals, key=lambda name: self.errors[name][steps]) if rivals else None

    def gain(self, steps: int, rival: str | None = None) -> float | None:
        """How many times lower the focus' error is than a rival's, the best one where none is named."""
        name = rival or self.best_rival(steps)
        if name is None or name not in self.errors or name == self.focus:
            return None
        return max(self.errors[name][steps], _FLOOR) / max(self.errors[self.focus][steps], _FLOOR)

    def lines(self) -> Iterator[str]:
        """The table, the focus first and then by average; * marks the smallest error of a column."""
        wide = max(22, *map(len, self.errors)) + 2
        yield self.title
        yield f"  {'steps':<{wide}}" + "".join(f"{steps:>9} " for steps in self.steps).rstrip()
        for name in sorted(self.errors, key=self._place):
            yield f"  {name:<{wide}}" + "".join(self._cell(name, steps) for steps in self.steps).rstrip()
        for label, rival in ((f"best {self.rivals} / {self.focus}", None), (f"{SIMPLE} / {self.focus}", SIMPLE)):
            gains = [self.gain(steps, rival) for steps in self.steps]
            if gains and None not in gains:
                yield f"  {label:<{wide}}" + "".join(f"{gain:>8.2f}x " for gain in gains).rstrip()

    def sentences(self) -> Iterator[str]:
        """Where the focus does not win, by how much, and what ended in another image."""
        for steps in self.steps:
            rival, gain = self.best_rival(steps), self.gain(steps)
            if rival is None or gain is None or gain > 1.0:
                continue
            mine, other = self.errors[self.focus][steps], self.errors[rival][steps]
            if gain == 1.0:
                yield f"No gain at {steps} steps: {rival} ends in the same place."
            else:
                better = 100 * (1 / gain - 1)
                yield f"No gain at {steps} steps: {rival} is {better:.1f} % better ({other:.4f}, not {mine:.4f})."
        for steps in self.steps:
            if count := self.switched[self.focus][steps]:
                yield f"At {steps} steps {count} samples of {self.focus} ended in another image than the reference's."

    def _place(self, name: str) -> tuple[bool, float]:
        return name != self.focus, sum(math.log(max(error, _FLOOR)) for error in self.errors[name].values())

    def _cell(self, name: str, steps: int) -> str:
        error = self.errors[name][steps]
        least = min(errors[steps] for errors in self.errors.values())
        return f"{error:>9.4f}" + ("*" if error == least else " ")


def run_reference(subject: PlainSubject, noises: int, seed: int, progress: Progress | None = None) -> ConvergedEnds:
    """The reference of a model on `noises` start noises, which no fit on noises of the same seed uses."""
    noise = subject.noise(noises, seed + _SEED_OFFSET)
    x = noise * subject.sigma_range.sigma_max
    coarse = subject.teacher_ends(x, COARSE_LEVELS, progress=_shifted(progress, 0))
    end = subject.teacher_ends(x, REFERENCE_LEVELS, progress=_shifted(progress, COARSE_LEVELS))
    return ConvergedEnds(noise, end, coarse)


def _shifted(progress: Progress | None, before: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, message: progress(before + done, COARSE_LEVELS + REFERENCE_LEVELS, message)


def compare(
    subject: PlainSubject,
    reference: ConvergedEnds,
    sampler: str | SamplerFunction,
    schedules: Mapping[str, Schedule],
    steps: Sequence[int],
    *,
    title: str,
    focus: str,
    rivals: str = "other",
    own: Mapping[str, SamplerFunction] | None = None,
    progress: Progress | None = None,
) -> Table:
    """Run every schedule at every step count.

    Args:
        schedules: name -> steps -> sigmas.
        title, focus, rivals: of the Table.
        own: name of a schedule -> the sampler that it is run with instead, such as one with its coefficients.
        progress: callable(done, total, message) in model calls.
    """
    table = Table(title, tuple(steps), focus, rivals)
    done, total = 0, sum(steps) * len(schedules)
    for name, schedule in schedules.items():
        table.errors[name], table.switched[name] = {}, {}
        runs = (own or {}).get(name, sampler)
        for count in steps:
            end = reference.from_noise(subject, runs, schedule(count))
            table.errors[name][count] = geometric_mean(sample_errors(end, reference.end))
            table.switched[name][count] = mode_switches(end, reference.end)
            done += count
            if progress is not None:
                progress(done, total, name)
    return table


def steps_needed(
    subject: PlainSubject,
    reference: ConvergedEnds,
    sampler: str | SamplerFunction,
    schedule: Schedule,
    error: float,
    most: int,
) -> int | None:
    """Smallest step count, by bisection, at which a schedule's error is at most `error`; None above `most`."""

    def enough(count: int) -> bool:
        end = reference.from_noise(subject, sampler, schedule(count))
        return geometric_mean(sample_errors(end, reference.end)) <= error

    if not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def summary_lines(tables: Sequence[Table]) -> Iterator[str]:
    """Over all cells of some tables: the average gain against the best rival of each cell, and against `simple`."""
    cells = [(table, steps) for table in tables for steps in table.steps]
    best = f"the best {tables[0].rivals} schedule of each cell, picked in hindsight"
    yield f"All {len(tables)} tables, {len(cells)} cells, on geometric average:"
    for label, rival in ((best, None), (SIMPLE, SIMPLE)):
        gains = [gain for table, steps in cells if (gain := table.gain(steps, rival)) is not None]
        if gains:
            ends = f"{min(gains):.2f} at worst, {max(gains):.2f} at best"
            mean = geometric_mean(torch.tensor(gains, dtype=torch.float64))
            yield f"  {mean:.2f} times lower than {label}; {ends}"
