"""Pruning a running batch: many seeds start together, and at a few steps the worst are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor

# Where images are compared, as parts of the run, and how many of the images are dropped there: two of three.
ROUNDS = (0.25, 0.5)
_KEPT_OF = 3


@dataclass(frozen=True)
class PruningPlan:
    """How many seeds start, and how many are left after which step.

    Attributes:
        start: seeds at the start.
        left: steps done -> seeds that go on.
    """

    start: int
    left: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    def row_steps(self, steps: int) -> int:
        """Steps of all rows together."""
        total, rows, done = 0, self.start, 0
        for step, left in sorted(self.left.items()):
            total, rows, done = total + rows * (step - done), left, step
        return total + rows * (steps - done)


def pruning_plan(images: float, steps: int, keep: int = 1) -> PruningPlan:
    """The plan with the most seeds for a budget.

    Args:
        images: the budget in full images' worth of model calls.
        steps: of the run, at least 2.
        keep: seeds that are run to the end.
    Raises:
        ValueError: the budget is too small for one seed more than is kept; it says the least that works.
    """
    places = sorted({max(1, round(part * steps)) for part in ROUNDS})
    best: PruningPlan | None = None
    start = keep + 1
    while True:
        left, rows = {}, start
        for place in places[:-1]:
            rows = max(keep, -(-rows // _KEPT_OF))
            left[place] = rows
        left[places[-1]] = keep
        plan = PruningPlan(start, MappingProxyType(left))
        if plan.row_steps(steps) > images * steps + 1e-9:
            break
        best, start = plan, start + 1
    if best is None:
        least = plan.row_steps(steps) / steps
        raise ValueError(f"budget: {images:g} images' worth of calls are too few; the least is {least:.3g}")
    return best


def survivors(alive: Sequence[int], scores: Tensor, left: int) -> list[int]:
    """The `left` rows of `alive` with the highest scores (one for each of them), in their order in the batch."""
    order = scores.argsort(descending=True, stable=True)[:left].tolist()
    return sorted(alive[place] for place in order)
