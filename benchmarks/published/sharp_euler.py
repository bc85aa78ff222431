"""SharpEuler: steps as dense as the velocity changes fast.

Source: Gupta et al. 2026, arXiv:2605.11547: the steps of a first-order solver follow the density |dv/dt|**(1/2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from ...schedules.core.noise_space import Array, SigmaRange
from ...schedules.core.sigmas import finish_sigmas
from ...schedules.hosts.schedules import DEFAULT_HOST, host_schedules
from .trajectory import CountedDenoiser, Trajectory, record

# The authors' numbers on FLUX: steps of the recorded Euler runs, the exponent, the width of the smoothing in steps.
RECORDED, EXPONENT, WIDTH = 50, 0.5, 1.0


def sharp_euler_schedules(
    model: CountedDenoiser, noise: Tensor, sigma_range: SigmaRange, steps: Sequence[int]
) -> dict[int, Tensor]:
    """Steps -> sigmas, all from RECORDED evaluations per sample.

    Differs: noise-prediction models, which the authors do not treat, are taken in sigma too, where their velocity is
    (x - denoised) / sigma; the density counts per sigma also where the recorded levels are uneven; no sigma is copied
    from the host's schedule at the end, as the authors' script for FLUX does.
    """
    levels = host_schedules(sigma_range)[DEFAULT_HOST](RECORDED)
    trajectory = record(model, noise * sigma_range.sigma_max, levels, "euler")
    return {count: quantile_sigmas(trajectory.sigmas, step_density(trajectory), count) for count in steps}


def step_density(trajectory: Trajectory) -> Array:
    """(N,) density of steps over sigma between neighbouring levels of the trajectory, up to a factor."""
    change = np.linalg.norm(np.diff(trajectory.derivatives, axis=0), axis=2)
    speed = change / -np.diff(trajectory.sigmas)[:-1, None]
    profile = (speed / speed.mean(axis=0)).mean(axis=1)
    # The change over a step is known at both of its ends but the last: that step takes its neighbour's.
    return gaussian_filter1d(np.append(profile, profile[-1]), WIDTH, mode="reflect") ** EXPONENT


def quantile_sigmas(levels: Array, density: Array, steps: int) -> Tensor:
    """Sigmas that part the mass of a density, constant (N,) between levels (N + 1,), into equal steps."""
    mass = np.append(0.0, np.cumsum(density * -np.diff(levels)))
    return finish_sigmas(np.interp(np.arange(steps) / steps * mass[-1], mass, levels))
