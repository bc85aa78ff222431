"""Search over seeds: many are drafted in a few steps, the best are run in full, and the winner is an ordinary seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from .rewards import Reward, RewardError, measured


@dataclass(frozen=True)
class DrawnImages:
    """Images of some seeds.

    Args:
        latents: (N, ...), in the host's own form.
        images: (N, H, W, 3) in 0..1, CPU.
        calls: model calls that each of them took.
    """

    latents: Tensor
    images: Tensor
    calls: float


class SeedRuns(Protocol):
    """Runs of a model from seeds; whoever fulfils it can be searched."""

    def draft(self, seeds: Sequence[int]) -> DrawnImages:
        """Few-step runs of these seeds, together."""
        ...

    def full(self, seed: int) -> DrawnImages:
        """One full run, exactly as the host would make it without a search."""
        ...


@dataclass(frozen=True)
class SeedBudget:
    """How a budget is spent.

    Args:
        images: the budget in full images' worth of model calls, >= 1.
        steps, draft_steps: of a full run and of a draft.
        keep: seeds that are run in full; 0 takes 1 below a budget of 8 images, else 2.
    Raises:
        ValueError: names the input, and says the least that works.
    """

    images: float
    steps: int
    draft_steps: int = 4
    keep: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.draft_steps < self.steps:
            raise ValueError(
                f"draft_steps must be from 1 to {self.steps - 1}, fewer than the {self.steps} steps of a full run, "
                f"got {self.draft_steps}"
            )
        if not math.isfinite(self.images):
            raise ValueError(f"budget must be finite, got {self.images:g}")
        if self.keep < 0:
            raise ValueError(f"keep must be 0 or more, got {self.keep}")
        if self.candidates <= self.kept:
            least = self.kept + (self.kept + 1) * self.draft_steps / self.steps
            raise ValueError(
                f"budget: {self.images:g} images' worth of calls leave {max(self.candidates, 0)} drafts of "
                f"{self.draft_steps} steps beside {self.kept} full run{'s' * (self.kept > 1)} of {self.steps}; "
                f"the least that works is {-(-least * 10 // 1) / 10:g}"
            )

    @property
    def kept(self) -> int:
        return self.keep or (1 if self.images < 8 else 2)

    @property
    def candidates(self) -> int:
        """Seeds that are drafted."""
        return int((self.images - self.kept) * self.steps / self.draft_steps + 1e-9)


@dataclass
class SeedSearch:
    """How a search went; filled as it goes, so that what was made before a failure is kept.

    Attributes:
        seeds: that were drafted; `drafts` their images, `measured` what the reward measured on them, (n, K).
        kept: seeds that were run in full, the best draft first; `finals` their runs, `final_measured` likewise.
        judged_drafts, judged_finals: scores of the second reward, which chose nothing.
        calls: model calls, in rows; `rewarded`: images scored; seconds: of runs, and of rewards.
        stopped: why it ended early, in words.
    """

    reward: Reward
    judge: Reward | None = None
    seeds: list[int] = field(default_factory=list)
    drafts: list[Tensor] = field(default_factory=list)
    draft_latents: list[Tensor] = field(default_factory=list)
    measured: list[Tensor] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    finals: list[DrawnImages] = field(default_factory=list)
    final_measured: list[Tensor] = field(default_factory=list)
    judged_drafts: list[float] = field(default_factory=list)
    judged_finals: list[float] = field(default_factory=list)
    calls: float = 0.0
    rewarded: int = 0
    seconds: float = 0.0
    reward_seconds: float = 0.0
    stopped: str = ""

    @property
    def scores(self) -> tuple[Tensor, Tensor]:
        """Total scores of the drafts and of the full runs, on one scale."""
        rows = [*self.measured, *self.final_measured]
        totals = self.reward.total(torch.stack(rows)) if rows else torch.zeros(0)
        return totals[: len(self.measured)], totals[len(self.measured) :]

    @property
    def order(self) -> list[int]:
        """Indices into `seeds` by draft score, the best first; drafts without a score come last, as they were drawn."""
        scores = self.scores[0]
        return scores.argsort(descending=True, stable=True).tolist() + list(range(len(scores), len(self.seeds)))

    @property
    def winner(self) -> int | None:
        """Index into `finals` of the best full run; None where there is none."""
        scores = self.scores[1]
        return int(scores.argmax()) if len(scores) else (0 if self.finals else None)


def search_seeds(
    runs: SeedRuns,
    reward: Reward,
    budget: SeedBudget,
    first_seed: int,
    *,
    judge: Reward | None = None,
    at_once: int = 8,
    progress: Callable[[SeedSearch], None] | None = None,
) -> SeedSearch:
    """Draft the seeds from `first_seed` on, run the best in full, and score those.

    Args:
        judge: a second reward that is reported and chooses nothing.
        at_once: drafts of a run.
        progress: told after every run; raising from it cancels.
    Returns:
        The search. Where a reward fails it holds what was made so far, says why in `stopped`, and the seed that was
        best until then is still run in full.
    """
    search = SeedSearch(reward, judge)
    seeds = [(first_seed + number) % 2**64 for number in range(budget.candidates)]
    for start in range(0, len(seeds), at_once):
        group = seeds[start : start + at_once]
        drawn = _timed(search, lambda group=group: runs.draft(group))
        search.seeds += group
        search.drafts += list(drawn.images)
        search.draft_latents += list(drawn.latents)
        search.calls += drawn.calls * len(group)
        _score(search, drawn.images, search.measured, search.judged_drafts)
        if progress is not None:
            progress(search)
        if search.stopped:
            break
    _run_in_full(search, runs, budget.kept, progress)
    return search


def _run_in_full(search: SeedSearch, runs: SeedRuns, count: int, progress: Callable[[SeedSearch], None] | None) -> None:
    """The best drafts in full; after a failure the best alone."""
    for index in search.order[: 1 if search.stopped else count]:
        seed = search.seeds[index]
        drawn = _timed(search, lambda seed=seed: runs.full(seed))
        search.kept.append(seed)
        search.finals.append(drawn)
        search.calls += drawn.calls
        if not search.stopped:
            _score(search, drawn.images, search.final_measured, search.judged_finals)
        if progress is not None:
            progress(search)
        if search.stopped:
            break


def _timed(search: SeedSearch, run: Callable[[], DrawnImages]) -> DrawnImages:
    start = time.perf_counter()
    drawn = run()
    search.seconds += time.perf_counter() - start
    return drawn


def _score(search: SeedSearch, images: Tensor, into: list[Tensor], judged: list[float]) -> None:
    """Score images one by one, so that of a group all before a failure keep their scores."""
    start = time.perf_counter()
    try:
        for number in range(len(images)):
            into.append(measured(search.reward, images[number : number + 1])[0])
            search.rewarded += 1
        if search.judge is not None:
            judged += search.judge.total(measured(search.judge, images)).tolist()
    except RewardError as error:
        search.stopped = f"{error} (seed {_failed_seed(search)})"
    search.reward_seconds += time.perf_counter() - start


def _failed_seed(search: SeedSearch) -> Any:
    if search.kept:
        return search.kept[-1]
    return search.seeds[min(len(search.measured), len(search.seeds) - 1)]
