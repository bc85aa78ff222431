"""Schedules for every step count from the few that were fitted.

A schedule of K steps is read as a function N_K(sigma): the number of steps left at a noise level, K at the first
sigma, 1 at the last positive one, 0 at 0 (linear in log sigma between two sigmas, linear in sigma below the last).
On flow models too it is log sigma: in log-SNR sigma 1 is infinitely far, and added sigmas would gather just below it.
Between two fitted counts N is blended linearly in the step count, beyond them it is stretched. So N grows with the step
count at every noise level wherever it does so for the fitted ones, and neighbouring step counts have neighbouring
schedules. Fitted lists may cross all the same, mostly in their last sigma. Made to agree there they were up to 1.7
times worse at their own counts (mixtures, dpmpp_2m), so they stay as they are, and `truncated` sees to the order: at
fixed steps its start sigma never falls as `denoise` rises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from torch import Tensor

from .noise_space import Array
from .sigmas import MAX_LIST, check_steps, finish_sigmas, steps_before_truncation

# Points per fitted interval on which N is tabulated; blends of curves with different nodes bend inside an interval.
_POINTS_PER_INTERVAL = 24
# A run that starts nearer to sigma_min than this, or below it, has no room for its steps above: it goes down as far.
_LEAST_ROOM = 2.0
# Fractional step counts that differ by this share give the same sigmas in float32.
_SAME_COUNT = 1e-9


@dataclass(frozen=True)
class StepCounts:
    """The schedules of one fit, by step count.

    Args:
        schedules: steps -> sigma list (steps + 1,) keeping the contract; at least one.
        sigma_min: smallest sigma that an interpolated schedule may visit.
        fill: whether counts beyond the largest one get the low sigmas that it leaves out; False keeps its shape.
    """

    schedules: Mapping[int, Tensor]
    sigma_min: float
    fill: bool = True

    def __post_init__(self) -> None:
        if not self.schedules:
            raise ValueError("schedules must hold at least one step count")
        for steps, sigmas in self.schedules.items():
            if len(sigmas) != steps + 1:
                raise ValueError(f"the schedule for {steps} steps has {len(sigmas) - 1}")

    def is_fitted(self, steps: int) -> bool:
        """Whether this count was fitted itself; otherwise `sigmas` interpolates."""
        return steps in self.schedules

    def sigmas(self, steps: int) -> Tensor:
        """(steps + 1,) sigma list: the fitted one, bit for bit, or the interpolated one."""
        steps = check_steps(steps, most=MAX_LIST)
        if steps in self.schedules:
            return self.schedules[steps].clone()
        levels, left = self._steps_left(float(steps))
        return self._tail(levels, left, steps, self._first_sigma())

    def truncated(self, steps: int, denoise: float) -> Tensor:
        """The host's mode of denoise < 1: the last `steps` steps of the schedule for int(steps / denoise).

        Where a fitted list of more steps has its sigma with `steps` left above this one's, the first sigma is raised to
        it: more denoise never starts lower. Counts between fitted ones lie between them, and larger ones below, so that
        no others need be asked.
        """
        full = steps_before_truncation(check_steps(steps, most=MAX_LIST), denoise)
        tail = self.sigmas(full)[-(steps + 1) :].clone()
        starts = [sigmas[-(steps + 1)] for count, sigmas in self.schedules.items() if count > full]
        tail[0] = max([tail[0], *starts])
        return tail

    def from_sigma(self, steps: int, start: float) -> Tensor:
        """Noise-level mode: `steps` steps from `start`, the tail of the (fractional) count with that many steps left.

        Args:
            start: first sigma, above the sigma that the fit has one step from the end, at most its first sigma.
        """
        steps = check_steps(steps)
        if start >= self._first_sigma():
            return self.sigmas(steps)
        for sigmas in self.schedules.values():
            if len(sigmas) > steps and math.isclose(float(sigmas[-(steps + 1)]), start, rel_tol=1e-6):
                return sigmas[-(steps + 1) :].clone()
        if start < _LEAST_ROOM * self.sigma_min:  # below all that the fit knows
            return finish_sigmas(np.geomspace(start, start / _LEAST_ROOM, steps))
        levels, left = self._steps_left(self._count_with(steps, start))
        return self._tail(levels, left, steps, start)

    def _count_with(self, steps: int, sigma: float) -> float:
        """The (fractional) step count whose schedule has `steps` left at `sigma`."""

        def left(count: float) -> float:
            return self._left_at(*self._steps_left(count), sigma)

        counts = sorted(self.schedules)
        known = {count: left(float(count)) for count in counts}
        for below, above in pairwise(counts):  # between fitted counts N is linear in the count
            if known[below] < steps <= known[above]:
                return below + (above - below) * (steps - known[below]) / (known[above] - known[below])
        if known[counts[0]] >= steps:
            low, high = float(steps), float(counts[0])
        else:
            low, high = float(counts[-1]), 2.0 * counts[-1]
            while left(high) < steps and high < MAX_LIST:
                low, high = high, min(2.0 * high, float(MAX_LIST))
        while high - low > _SAME_COUNT * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if left(middle) < steps else (low, middle)
        return high

    def _first_sigma(self) -> float:
        return max(float(sigmas[0]) for sigmas in self.schedules.values())

    def _left_at(self, levels: Array, left: Array, sigma: float) -> float:
        return float(np.interp(np.log(sigma), levels, left))

    def _tail(self, levels: Array, left: Array, steps: int, start: float) -> Tensor:
        """The last `steps` steps of a tabulated N, its first sigma set to `start` exactly."""
        wanted = np.arange(steps, 0, -1, dtype=np.float64)
        positive = np.exp(np.interp(wanted, left, levels))
        positive = np.clip(positive, min(self.sigma_min, start), start)
        positive[0] = start
        return finish_sigmas(positive)

    def _steps_left(self, steps: float) -> tuple[Array, Array]:
        """(log sigma ascending, N ascending) of the schedule for a fractional step count."""
        counts = sorted(self.schedules)
        below = max((k for k in counts if k <= steps), default=counts[0])
        above = min((k for k in counts if k >= steps), default=counts[-1])
        levels = self._levels({below, above})
        if below == above:
            return levels, self._scaled(levels, below, steps)
        weight = (steps - below) / (above - below)
        return levels, (1.0 - weight) * self._count(levels, below) + weight * self._count(levels, above)

    def _levels(self, counts: set[int]) -> Array:
        """Common log sigma points of some schedules, refined, down to sigma_min."""
        positive = [self.schedules[steps][:-1].double().numpy() for steps in counts]
        knots = np.unique(np.log(np.concatenate([[self.sigma_min], *positive])))
        inner = np.linspace(knots[:-1], knots[1:], _POINTS_PER_INTERVAL, endpoint=False)
        return np.append(inner.T.ravel(), knots[-1])

    def _count(self, levels: Array, steps: int) -> Array:
        """N_K at the levels."""
        positive = self.schedules[steps][:-1].double().numpy()[::-1]
        last = positive[0]
        count = np.interp(levels, np.log(positive), np.arange(1.0, steps + 1.0))
        sigma = np.exp(levels)
        return np.where(sigma < last, sigma / last, count)

    def _scaled(self, levels: Array, fitted: int, steps: float) -> Array:
        """N_K stretched to `steps`: the last sigma falls like 1 / steps, the size of its jump to 0, to sigma_min.

        Beyond the largest fitted count, where `fill` is on, steps are added where the stretched curve falls behind one
        that is even in log sigma: a fit for few steps leaves out the low sigmas, which decide the error once there are
        many.
        """
        count = self._count(levels, fitted)
        floor = fitted / steps if steps < fitted else max(fitted / steps, float(count[0]))
        if fitted - floor <= 0:
            return count * steps / fitted
        stretched = 1.0 + (count - floor) * (steps - 1.0) / (fitted - floor)
        span = np.log(self._first_sigma()) - levels[0]
        if steps <= fitted or not self.fill or span <= 0.0:
            return stretched
        even = 1.0 + (steps - 1.0) * np.clip((levels - levels[0]) / span, 0.0, 1.0)
        return stretched + (1.0 - fitted / steps) * np.maximum(even - stretched, 0.0)
