"""Parts that the samplers of this package share: Euler's step and sampler, and which way a list of sigmas goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from ..core.types import Denoiser
from ..samplers.loop import sample_steps


def euler_step(x: Tensor, denoised: Tensor, sigma: Tensor | float, target: Tensor | float) -> Tensor:
    """x moved along (x - denoised) / sigma to another level, in k-diffusion's own order of operations."""
    return x + (x - denoised) / sigma * (target - sigma)


def sample_euler(model: Denoiser, x: Tensor, sigmas: Tensor, *given: Any, **options: Any) -> Tensor:
    """Euler's method with k-diffusion's signature; bit-equal to its sample_euler."""

    def take(x: Tensor, denoised: Tensor, i: int) -> Tensor:
        return euler_step(x, denoised, sigmas[i], sigmas[i + 1])

    return sample_steps(model, x, sigmas, *given, take=take, **options)


def direction(sigmas: Sequence[float]) -> int:
    """-1 for a list that falls, +1 for one that rises (inversion).

    Raises:
        ValueError: names `sigmas`.
    """
    if len(sigmas) < 2:
        raise ValueError(f"sigmas must hold at least 2 noise levels, got {len(sigmas)}")
    if not all(math.isfinite(sigma) and sigma >= 0.0 for sigma in sigmas):
        raise ValueError("sigmas must be finite and 0 or more")
    steps = [after - before for before, after in pairwise(sigmas)]
    if all(step <= 0.0 for step in steps):
        return -1
    if all(step >= 0.0 for step in steps):
        return 1
    raise ValueError("sigmas must fall throughout, or rise throughout for an inversion; this list does both")
