"""A fixed schedule from a pilot run: every step gets the same share of the local error of a method of given order.

A step of length h of a method of order p has the local error C(t) h**(p + 1), C the derivative of order p of the model
output times how much of an error reaches the end. For a fixed number of steps the sum of the errors, and of their
squares, is smallest where the density of steps is C**(1 / (p + 1)) (de Boor 1973).

Source: de Boor 1973, "Good approximation by splines with variable knots". For first-order steps this is the rule of
several published schedules; the error matched to the sampler's order is what differs.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.noise_space import Array, SigmaRange
from ..core.sigmas import check_steps, finish_sigmas
from .expected import error_weight
from .pilot import MAX_ORDER, Pilot

# No stretch gets less than this share of the mean density: the model was measured on a few noises only.
_FLOOR = 0.15
_POINTS = 513
# With few steps the last one jumps to 0 from above sigma_min, a step before it; with more from sigma_min itself. Of
# 0, 0.5 and 1 steps, 1 was best at 5, 0.5 to 1 at 10, 0 to 0.5 at 20 and 0 at 40.
_UNFINISHED, _FALL = 1.25, 20.0

# Order of the host's samplers, by what decides the local error of a deterministic run.
_FIRST = {"euler", "ddim", "euler_ancestral", "euler_cfg_pp", "euler_ancestral_cfg_pp", "lcm", "ddpm"}
_THIRD = {"ipndm", "ipndm_v", "deis", "lms", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "uni_pc", "seeds_3"}


def order_of(sampler: str) -> int:
    """Order of a sampler by its name: 1, 3, or 2 for all that are not known to be another."""
    return 1 if sampler in _FIRST else 3 if sampler in _THIRD else 2


def frozen_sigmas(pilot: Pilot, order: int, steps: int, sigma_range: SigmaRange) -> Tensor:
    """The schedule of `steps` steps for a method of `order`.

    Args:
        order: 1..3.
        steps: solver intervals, >= 1.
        sigma_range: of the model the pilot ran on.
    Returns:
        (steps + 1,) float32, CPU, keeping the contract of a sigma list; [0] == sigma_max.
    Raises:
        ValueError: names the argument.
    """
    if order not in range(1, MAX_ORDER + 1):
        raise ValueError(f"order must be from 1 to {MAX_ORDER}, got {order}")
    check_steps(steps)
    start, end = (float(pilot.variable.at(sigma)) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    grid = np.linspace(start, end, _POINTS)
    density = step_density(pilot, order, grid)
    count = np.append(0.0, np.cumsum(0.5 * (density[1:] + density[:-1])))
    unfinished = min(max(_UNFINISHED - steps / _FALL, 0.0), 1.0)
    place = np.arange(steps) / max(steps - 1.0 + unfinished, 1.0)
    positive = pilot.variable.sigma(np.interp(place * count[-1], count, grid))
    positive = np.clip(positive, sigma_range.sigma_min, sigma_range.sigma_max)
    positive[0] = sigma_range.sigma_max
    return finish_sigmas(positive)


def step_density(pilot: Pilot, order: int, grid: Array) -> Array:
    """Density of steps per unit of t on a grid, mean 1: the noises' geometric mean, smoothed over neighbours."""
    times, rates = pilot.times[order], pilot.rates[order]
    local = np.log(np.maximum(rates, 1e-12)).mean(axis=1) + np.log(error_weight(pilot.variable, times))
    padded = np.concatenate([local[:1], local, local[-1:]])
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    density = np.exp(np.interp(grid, times, smooth) / (order + 1.0))
    return np.maximum(density / density.mean(), _FLOOR)
