"""Align Your Steps: the schedule that minimises the KLUB, a bound on how far discretisation takes the sampler's SDE.

    KLUB = sum over steps s -> t of  integral from t to s of  r**-3 E |D(x_r, r) - D(x_s, s)|**2 dr

in VE coordinates, x_r = x0 + noise of std r. Source: Sabour et al. 2024, arXiv:2404.14507, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ...schedules.core.noise_space import Array, SigmaRange
from ...schedules.core.sigmas import finish_sigmas
from ...schedules.fitting.refine.dynamic_programming import cheapest_paths
from ...schedules.fitting.teacher_levels import teacher_sigmas
from .trajectory import CountedDenoiser, ending_in_zero, record

NODES = 64


def ays_schedules(
    model: CountedDenoiser, noise: Tensor, sigma_range: SigmaRange, steps: Sequence[int]
) -> dict[int, Tensor]:
    """Steps -> sigmas, all from one teacher of NODES evaluations per sample.

    Differs: the expectation is over the model's own trajectories, recorded once, in place of noised data, drawn anew
    for every estimate (tried as well: most steps then lie at the lowest levels, and the ends are farther off). The
    bound is additive over pairs of recorded levels, so that it is minimised exactly, by dynamic programming and for
    every step count; the authors move one sigma at a time, stop early because it is only a bound, and double 10 steps
    to 20 and 40. On flow models it is taken at the VE level of the same signal-to-noise ratio. The authors' own lists
    for Stable Diffusion are among the hosts' schedules.
    """
    levels = finish_sigmas(teacher_sigmas(NODES, sigma_range))
    trajectory = record(model, noise * sigma_range.sigma_max, levels, "dpmpp_2m")
    sigmas = trajectory.sigmas[:-1]
    denoised = trajectory.states[:-1] - sigmas[:, None, None] * trajectory.derivatives
    paths = cheapest_paths(klub_costs(sigmas, squared_distances(denoised), sigma_range.flow), max(steps))
    return {count: ending_in_zero(sigmas[paths[count]]) for count in steps}


def squared_distances(outputs: Array) -> Array:
    """(N, N) mean over rows of the squared distance between the outputs (N, B, n) at two levels."""
    return np.array([np.square(outputs - one).sum(axis=2).mean(axis=1) for one in outputs])


def klub_costs(levels: Array, distances: Array, flow: bool) -> Array:
    """(N, N) integral of each step i -> j > i, by the trapezoidal rule over the levels in between.

    Args:
        levels: (N,) decreasing, in the model's own space.
        distances: (N, N) E |D_i - D_j|**2.
    """
    inverse = (1.0 - levels) / levels if flow else 1.0 / levels
    measure = 0.5 * np.diff(inverse**2)  # r**-3 dr
    pieces = 0.5 * (distances[:, 1:] + distances[:, :-1]) * measure
    return np.append(np.zeros((len(levels), 1)), np.cumsum(np.triu(pieces), axis=1), axis=1)
