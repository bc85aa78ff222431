"""A pilot: where on the share of noise a reward is decided, and whether a plan that knows it beats the uniform one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .rewards import Reward
from .stepwise import StepRecord
from .widths import UNIFORM, WidthPlan, noise_share, until

# Decided: where this share of all that the children's scores varied by is still to come.
UNDECIDED_LEFT = 0.1

# (plan, seeds of the images) -> what the reward measured on the results, (images, K), and how the search went.
RunSearch = Callable[[WidthPlan, Sequence[int]], tuple[Tensor, StepRecord]]


@dataclass(frozen=True)
class PilotResult:
    """A plan, and what it was judged by.

    Attributes:
        plan: uniform unless the proposal won.
        proposed: what the pilot's images suggested.
        gain: mean of (proposal - uniform) over the images that the pilot did not see, and `error`, its standard error.
        spread: by step of the pilot, mean standard deviation of the children's scores.
        shares: of noise at these steps.
    """

    plan: WidthPlan
    proposed: WidthPlan
    gain: float
    error: float
    spread: tuple[float, ...]
    shares: tuple[float, ...]

    def in_words(self) -> str:
        """The measurements and the choice, in words."""
        shown = ", ".join(f"{share:.2f}: {spread:.2g}" for share, spread in zip(self.shares, self.spread))
        lines = [f"Spread of the children's scores by share of noise: {shown}."]
        if self.proposed.is_uniform:
            return "\n".join([*lines, "The reward is not decided before the end: the uniform plan stays."])
        compared = f"{self.gain:+.3g} +- {self.error:.2g} over the uniform plan on images that the pilot did not see"
        if self.plan.is_uniform:
            return "\n".join([*lines, f"{self.proposed.text()} was tried: {compared}. The uniform plan stays."])
        return "\n".join([*lines, f"Plan: {self.plan.text()}, {compared}."])


def decided_share(spread: Sequence[float], shares: Sequence[float]) -> float | None:
    """The share of noise below which less than a tenth of all spread is to come; None where that is the last level.

    Args:
        spread: by step, mean standard deviation of the children's scores.
        shares: of noise at the children's levels, falling.
    """
    total, left = sum(spread), sum(spread)
    for value, share in zip(spread, shares):
        left -= value
        if left < UNDECIDED_LEFT * total:
            return None if share == shares[-1] else share
    return None


def run_pilot(
    run: RunSearch,
    reward: Reward,
    levels: Sequence[float],
    *,
    flow: bool,
    pilot: Sequence[int],
    held_out: Sequence[int],
) -> PilotResult:
    """A uniform search on the pilot's seeds, its proposal, and both plans on seeds that it did not see.

    Args:
        levels: sigmas of the run, (steps + 1,).
        pilot, held_out: seeds of images; apart from each other.
    Raises:
        ValueError: seeds that are in both, or fewer than two held out.
    """
    if set(pilot) & set(held_out) or len(held_out) < 2:
        raise ValueError("held_out: at least two seeds are needed that the pilot does not see")
    _, record = run(UNIFORM, pilot)
    shares = tuple(noise_share(level, flow) for level in levels[1 : 1 + len(record.spread)])
    spread = tuple(float(step.mean()) for step in record.spread)
    share = decided_share(spread, shares)
    if share is None:
        return PilotResult(UNIFORM, UNIFORM, 0.0, 0.0, spread, shares)
    proposed = until(round(share, 2))
    both = torch.cat([run(plan, held_out)[0] for plan in (proposed, UNIFORM)])
    totals = reward.total(both)
    difference = totals[: len(held_out)] - totals[len(held_out) :]
    gain, error = float(difference.mean()), float(difference.std()) / len(difference) ** 0.5
    # Twice the standard error: a plan that only chance has chosen is worth less than none.
    plan = proposed if gain > 2.0 * error else UNIFORM
    return PilotResult(plan, proposed, gain, error, spread, shares)
