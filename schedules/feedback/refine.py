"""Refine by error: resample the pixels whose estimated error stayed large, from the run's own states, in finer steps.

A round goes back to a state x_s of the first run, on its own noise, and samples a region again with the same curve in
two to eight times as many steps; outside the region the image so far stays. It is kept if the embedded estimate of the
region has fallen, else discarded. A model call computes whole images, so a round costs as much as it would for all
pixels: what a region buys is that everything else stays as it was (figures: benchmarks/studies/feedback.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core.sigmas import check_sigmas, resample_sigmas
from .estimate import RunRecord, root_mean_square, worst_region

# How much finer than the first run a round may be; a pixel's next round is finer than its last.
FINER = (2, 3, 4, 6, 8)
# Share by which the estimate must fall for a round to be kept and another one to be tried.
LEAST_GAIN = 0.05
# The estimate of one step is of second order and n steps are added as squares: n times finer is n**1.5 lower.
_ORDER = 1.5


@dataclass(frozen=True)
class Pass:
    """One run of the sampler.

    Args:
        record: with states in the first run.
        end: (B, C, *spatial) result.
        calls: model calls it took.
    """

    record: RunRecord
    end: Tensor
    calls: int


# (x_s, sigmas (steps + 1,) from its level to 0, image so far, region (B, *spatial) of 0 and 1, most model calls) -> its
# run; None where the sampler would have taken more calls: they are then spent.
Resample = Callable[[Tensor, Tensor, Tensor, Tensor, int], Pass | None]

# The image so far -> (B, *spatial) of 0 and 1: the pixels that do not pass.
Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Round:
    """A round as it went: from which sigma, in how many steps, and the region's estimate before and after."""

    sigma: float
    steps: int
    calls: int
    before: float
    after: float
    kept: bool


@dataclass(frozen=True)
class Refinement:
    """The refined state, and how the rounds went.

    Attributes:
        end: the image; bit-equal to the first run's outside `region`.
        region: (B, *spatial) of 0 and 1, all pixels that were resampled and kept.
        before, after: (B, *spatial) estimated error of the first run and of the result.
        calls: model calls of the rounds, at most the budget.
        reason: why it stopped, in words.
    """

    end: Tensor
    region: Tensor
    before: Tensor
    after: Tensor
    calls: int
    rounds: tuple[Round, ...]
    reason: str


def refine(
    first: Pass,
    sigmas: Any,
    resample: Resample,
    *,
    budget: int,
    sigma_min: float,
    share: float = 0.25,
    allowed: Tensor | None = None,
    critic: Critic | None = None,
) -> Refinement:
    """Rounds of resampling until the budget is spent or nothing improves.

    Args:
        first: the run to refine, recorded with `keep_states`.
        sigmas: (steps + 1,) its sigma list, ending in 0.
        resample: runs the sampler again; see `Resample`.
        budget: model calls that the rounds may take, >= 2.
        sigma_min: of the model; finer steps may go down to it.
        share: of each image's pixels in a round's region, above 0 to 1; 1 resamples all pixels.
        allowed: (B, *spatial) of 0 and 1; pixels that may change. None: all.
        critic: chooses the pixels of every round in place of `share`, until it names none. A round that does not lower
            their estimate still ends the rounds.
    Raises:
        ValueError: names the input.
    """
    sigmas = check_sigmas(sigmas)
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 2:
        raise ValueError(f"budget must be at least 2 model calls, got {budget}")
    levels = first.record.levels
    per_step = math.ceil(first.calls / max(1, len(levels)))
    squares = torch.stack(first.record.squares)
    before = squares.sum(dim=0).sqrt()
    end, left = first.end, budget
    density = torch.ones_like(before)  # how many times finer than the first run each pixel was sampled last
    kept, rounds = torch.zeros_like(before), []
    while True:
        if critic is None:
            region = worst_region(squares.sum(dim=0).sqrt(), share, allowed)
        else:
            region = critic(end).to(before) * (1.0 if allowed is None else allowed.to(before))
            if not bool(region.any()):
                reason = "the critic passes"
                break
        weights = (squares * region).flatten(1).sum(dim=1).tolist()
        # Everything that is left at once: a round's states serve no later one, so small rounds waste their calls.
        plan = _plan(weights, _sampled_already(density, squares.sum(dim=0) * region), left // per_step)
        if isinstance(plan, str):
            reason = plan
            break
        start, steps, finer = plan
        density = torch.where(region > 0.0, float(finer), density)
        tail = finer_tail(levels[start:], steps, finer, sigma_min)
        attempt = resample(first.record.states[start], tail, end, region, left)
        if attempt is None:
            left, reason = 0, "the sampler takes more model calls than were left, so the last round was discarded"
            break
        left -= attempt.calls
        tried = _replaced(squares, levels, attempt.record, start, region)
        old, new = (float(_pooled(each, region)) for each in (squares, tried))
        better = new <= (1.0 - LEAST_GAIN) * old
        rounds.append(Round(levels[start], steps, attempt.calls, old, new, better))
        if not better:
            reason = "the last round lowered the estimate by less than 5 %, so it was discarded"
            break
        squares, kept = tried, torch.maximum(kept, region)
        end = torch.where(_over(region, end) > 0.0, attempt.end, end)
    return Refinement(end, kept, before, squares.sum(dim=0).sqrt(), budget - left, tuple(rounds), reason)


def finer_tail(levels: list[float], steps: int, finer: int, sigma_min: float) -> Tensor:
    """(steps + 1,) the curve of these levels in `steps` steps, ending in 0.

    The step to 0 is made finer too: as in a host's curve of so many more steps, the last level above 0 goes down by
    the factor `finer`, as far as sigma_min.
    """
    lowest = max(sigma_min, levels[-1] / finer)
    below = [lowest] if lowest < 0.9 * levels[-1] else []
    return resample_sigmas([*levels, *below, 0.0], steps)


def _plan(weights: list[float], finer: int, steps_left: int) -> tuple[int, int, int] | str:
    """(index of the state to start from, steps, how much finer) with the lowest estimate after it; or why none.

    Args:
        weights: the region's squared estimate by step of the first run.
        finer: how much finer the region has been sampled already.
    """
    total = sum(weights)
    if total <= 0.0:
        return "no error was estimated"
    best: tuple[float, tuple[int, int, int]] | None = None
    for start in range(len(weights) - 1):
        for ratio in FINER:
            steps = ratio * (len(weights) - start)
            if ratio <= finer or steps > steps_left:
                continue
            after = sum(weights[:start]) + sum(weights[start:]) * (finer / ratio) ** (2.0 * _ORDER)
            if best is None or after < best[0]:
                best = after, (start, steps, ratio)
    if finer >= FINER[-1]:
        return f"the worst pixels have been sampled {finer} times finer already"
    if best is None:
        return "the budget is spent"
    if best[0] > (1.0 - LEAST_GAIN) ** 2 * total:
        return "what is left of the budget is too small to lower the estimate by 5 %"
    return best[1]


def _sampled_already(density: Tensor, weights: Tensor) -> int:
    """How much finer the region has been sampled, by the pixels that hold its error: neighbours come along only."""
    total = float(weights.sum())
    return round(float((density * weights).sum()) / total) if total > 0.0 else 1


def _replaced(squares: Tensor, levels: list[float], record: RunRecord, start: int, region: Tensor) -> Tensor:
    """(steps, B, *spatial) squares of the first run's steps, in the region with the new run's in place of theirs."""
    corrected = squares.clone()
    corrected[start:] *= 1.0 - region
    for sigma, square in zip(record.levels, record.squares):
        step = max(i for i, level in enumerate(levels) if level >= sigma * (1.0 - 1e-6))
        corrected[max(step, start)] += square.to(corrected) * region
    return corrected


def _pooled(squares: Tensor, region: Tensor) -> Tensor:
    """Root mean square over the regions of all images."""
    return root_mean_square(squares.sum(dim=0).sqrt().reshape(1, -1), region.reshape(1, -1))[0]


def _over(region: Tensor, image: Tensor) -> Tensor:
    """The region shaped to select values of an image (B, C, *spatial) or (B, dim)."""
    return (region.unsqueeze(1) if image.ndim > region.ndim else region).to(image.device)
