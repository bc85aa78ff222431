"""Samplers and schedules compared on the same start noises: which is surely better at its cost, and where none is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

from ..core.metrics import Ratio, geometric_mean

# A cell is called better than another when that would come about by chance once in twenty comparisons of this size.
CONFIDENCE = 0.95
# A smaller difference counts as none, however sure it is.
_RELEVANT = 1.01
# Below this RMSE a run equals the reference for float32; keeps the logarithm finite.
_FLOOR = 1e-9
# Name of the target of all samplers that draw no noise.
SOLUTION = "the noise-free solution"


@dataclass(frozen=True)
class Cell:
    """One sampler on one schedule at one step count.

    Attributes:
        sampler, schedule: labels.
        steps: intervals of the sigma list.
        errors: (seeds,) float64 RMSE of each end state from the reference; empty where the run failed.
        calls: model calls per sample.
        seconds: per sample, all seeds run together.
        switched: samples that ended in another image than the reference's.
        failed: why there is no result, or empty.
        target: name of the Target that its errors are measured from.
    """

    sampler: str
    schedule: str
    steps: int
    errors: Tensor
    calls: float = 0.0
    seconds: float = 0.0
    switched: int = 0
    failed: str = ""
    target: str = SOLUTION

    @property
    def label(self) -> str:
        """The cell in words."""
        return f"{self.sampler} with {self.schedule} at {self.steps} step{'s' if self.steps != 1 else ''}"

    @property
    def error(self) -> float:
        """Geometric mean over the seeds; infinite where the run failed."""
        return geometric_mean(self.errors) if len(self.errors) else float("inf")


@dataclass(frozen=True)
class Target:
    """End states that errors are measured from: a run with many levels.

    Attributes:
        levels: its noise levels.
        error: geometric mean RMSE between it and one with half the levels.
        converged: whether that is small beside the distance between samples.
    """

    levels: int
    error: float
    converged: bool


def error_ratio(cell: Cell, other: Cell, confidence: float = CONFIDENCE) -> Ratio:
    """Error of `cell` over that of `other`, seed by seed, so that what a seed does to both cancels.

    Args:
        confidence: of the two-sided interval, 0..1.
    Returns:
        the geometric mean of the ratios, and its interval by Student's t on their logarithms.
    """
    logs = cell.errors.clamp_min(_FLOOR).log() - other.errors.clamp_min(_FLOOR).log()
    return _interval(logs, confidence)


def error_interval(cell: Cell, confidence: float = CONFIDENCE) -> Ratio:
    """The cell's geometric mean error and its interval over the seeds."""
    return _interval(cell.errors.clamp_min(_FLOOR).log(), confidence)


def _interval(logs: Tensor, confidence: float) -> Ratio:
    count, mean = len(logs), float(logs.mean())
    if count < 2:
        return Ratio(float(torch.tensor(mean).exp()), 0.0, float("inf"))
    spread = float(logs.std()) / count**0.5 * float(stdtrit(count - 1, 0.5 + 0.5 * confidence))
    low, middle, high = torch.tensor([mean - spread, mean, mean + spread], dtype=torch.float64).exp().tolist()
    return Ratio(middle, low, high)


@dataclass(frozen=True)
class CostVerdict:
    """The outcome at a cost.

    Attributes:
        target: name of the target that all compared cells share.
        calls: model calls per sample that no compared cell exceeds.
        leader: the cell with the smallest error.
        equals: cells that are not surely worse, by their error.
        runner_up: the best of the surely worse ones, None where there is none.
        margin: its error over the leader's.
    """

    target: str
    calls: float
    leader: Cell
    equals: tuple[Cell, ...]
    runner_up: Cell | None
    margin: Ratio | None

    @property
    def clear(self) -> bool:
        """Whether one cell is surely better than all others."""
        return not self.equals and self.runner_up is not None


@dataclass(frozen=True)
class Comparison:
    """All cells of a comparison.

    Attributes:
        cells: in the order they ran.
        seeds: of the start noises.
        targets: name -> Target; samplers that draw noise have one each, the others share SOLUTION.
        own: labels of the schedules that the person brought, whose gain is asked for.
        notes: everything else to know, in sentences.
    """

    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    targets: Mapping[str, Target]
    own: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> list[Cell]:
        """Cells with a result."""
        return [cell for cell in self.cells if not cell.failed]

    @property
    def decided(self) -> list[Cell]:
        """Cells with a result and a converged target."""
        return [cell for cell in self.finished if self.targets[cell.target].converged]

    def verdicts(self) -> Iterator[CostVerdict]:
        """Per target, one for every number of model calls, among all cells that need no more; a repeat is left out."""
        for target in self.targets:
            cells = [cell for cell in self.decided if cell.target == target]
            said: tuple[Cell, ...] = ()
            for calls in sorted({round(cell.calls) for cell in cells}):
                affordable = [cell for cell in cells if round(cell.calls) <= calls]
                if len(affordable) > 1:
                    verdict = self._verdict(target, calls, affordable)
                    if (group := (verdict.leader, *verdict.equals)) != said:
                        said = group
                        yield verdict

    def gains(self) -> Iterator[tuple[Cell, Cell, Ratio, bool]]:
        """For every cell of an own schedule: it, the best other at its sampler and steps, the ratio of that one's
        error to its own, and whether it is surely better or worse than that one.
        """
        for cell in self.decided:
            if cell.schedule not in self.own:
                continue
            rivals = [
                other
                for other in self.decided
                if other.schedule not in self.own and (other.sampler, other.steps) == (cell.sampler, cell.steps)
            ]
            if rivals:
                best = min(rivals, key=lambda rival: rival.error)
                sure = self._surely_worse(best, cell, len(rivals)) or self._surely_worse(cell, best, len(rivals))
                yield cell, best, error_ratio(best, cell), sure

    def _verdict(self, target: str, calls: float, cells: Sequence[Cell]) -> CostVerdict:
        leader, *others = sorted(cells, key=lambda cell: cell.error)
        equals = tuple(cell for cell in others if not self._surely_worse(cell, leader, len(others)))
        worse = next((cell for cell in others if cell not in equals), None)
        margin = error_ratio(worse, leader, _each(len(others))) if worse is not None else None
        return CostVerdict(target, calls, leader, equals, worse, margin)

    def _surely_worse(self, cell: Cell, leader: Cell, comparisons: int) -> bool:
        """By more than a percent, the spread of the seeds, and what the reference itself is exact to."""
        return (
            cell.error > self.targets[cell.target].error
            and error_ratio(cell, leader, _each(comparisons)).low > _RELEVANT
        )


def _each(comparisons: int) -> float:
    """Confidence of each of several comparisons, so that all together keep CONFIDENCE (Bonferroni)."""
    return 1.0 - (1.0 - CONFIDENCE) / max(1, comparisons)
