"""Pruning a running batch: many seeds start together, and at a few steps the worst are dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from .rewards import Reward, RewardError, measured
from .seeds import DrawnImages, SeedSearch

# Where images are compared, as parts of the run, and how many of the images are dropped there: two of three.
ROUNDS = (0.25, 0.5)
_KEPT_OF = 3
# (images of the rows that are alive, those rows, how many go on) -> the rows that go on.
Choose = Callable[[Tensor, list[int], int], list[int]]


class PrunedRuns(Protocol):
    """Runs a batch of seeds and drops rows on the way."""

    def pruned(self, seeds: Sequence[int], rounds: Mapping[int, int], choose: Choose) -> DrawnImages:
        """The rows that are left at the end, in their order; after `step` steps `choose` leaves rounds[step]."""
        ...


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

    def in_words(self) -> str:
        """How many go on after which step."""
        parts = [f"{left} after step {step}" for step, left in sorted(self.left.items())]
        return f"Of {self.start} seeds {', '.join(parts)} went on."


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


def search_pruned(
    runs: PrunedRuns, reward: Reward, plan: PruningPlan, first_seed: int, *, judge: Reward | None = None
) -> SeedSearch:
    """A running batch of seeds, pruned by the scores of what the model expects each to become.

    Returns:
        The search; its drafts are the images of the first round. Where the reward fails, the rows that led until then
        go on, the first ones before the first round, and `stopped` says why.
    """
    search, alive_scores = SeedSearch(reward, judge), {}
    search.seeds = [(first_seed + number) % 2**64 for number in range(plan.start)]
    alive_at_end = list(range(plan.start))

    def choose(images: Tensor, alive: list[int], left: int) -> list[int]:
        first = not search.drafts
        if first:
            search.drafts = list(images)
        if not search.stopped:
            try:
                values = measured(reward, images)
                search.rewarded += len(images)
                if first:
                    search.measured = list(values)
                    search.judged_drafts = [] if judge is None else judge.total(measured(judge, images)).tolist()
                alive_scores.update(zip(alive, reward.total(values).tolist()))
            except RewardError as error:
                search.stopped = str(error)
        scores = torch.tensor([alive_scores.get(row, 0.0) for row in alive])
        alive_at_end[:] = survivors(alive, scores, left)
        return list(alive_at_end)

    drawn = runs.pruned(search.seeds, plan.left, choose)
    search.kept = [search.seeds[row] for row in alive_at_end]
    search.calls = drawn.calls * len(drawn.latents)
    search.finals = [
        DrawnImages(drawn.latents[row : row + 1], drawn.images[row : row + 1], drawn.calls)
        for row in range(len(search.kept))
    ]
    if not search.stopped:
        _score_finals(search, drawn.images)
    return search


def _score_finals(search: SeedSearch, images: Tensor) -> None:
    try:
        search.final_measured = list(measured(search.reward, images))
        search.rewarded += len(images)
        if search.judge is not None:
            search.judged_finals = search.judge.total(measured(search.judge, images)).tolist()
    except RewardError as error:
        search.stopped = str(error)
