"""Parts that every closed-form curve shares: even positions and the exact ends of the model's range."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..core.noise_space import Array, SigmaRange
from ..core.sigmas import MAX_LIST, check_steps, finish_sigmas


def positions(steps: int) -> Array:
    """`steps` even positions, 0 at the first sigma and 1 at the last positive one; a single step has only the first."""
    return np.linspace(0.0, 1.0, check_steps(steps, most=MAX_LIST))


def pin_ends(positive: Array, sigma_range: SigmaRange) -> Tensor:
    """Sigma list from exactly sigma_max to, from 2 steps, exactly sigma_min; inverses may round past them."""
    pinned = np.clip(positive, sigma_range.sigma_min, sigma_range.sigma_max)
    pinned[0] = sigma_range.sigma_max
    if len(pinned) > 1:
        pinned[-1] = sigma_range.sigma_min
    return finish_sigmas(pinned)


def check_above(name: str, value: float, bound: float = 0.0) -> float:
    """The value as a float, or ValueError: finite and above `bound`."""
    if not bound < value < float("inf"):
        raise ValueError(f"{name} must be finite and > {bound:g}, got {value}")
    return float(value)
