"""Noise coordinates shared by VE (noise-prediction) and flow models.

VE: x = x0 + sigma*noise, sigma in (0, inf).  Flow (CONST): x = (1 - sigma)*x0 + sigma*noise, sigma in (0, 1].
A flow sigma and the VE sigma with the same signal-to-noise ratio are tied by sigma_ve = sigma / (1 - sigma), so
sigma_flow = sigma_ve / (1 + sigma_ve) is also the *noise fraction* noise / (noise + signal) of a VE state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A host that works out its table in float32 may end it a rounding above 1: 1.0000001 at a shift of 1.83.
_ROUNDING = 1e-5
# A flow schedule starts at sigma = 1, where log-SNR is -inf; hosts step back by this fraction of the way.
FLOW_EDGE = 1e-4

# Hosts tabulate 1,000 timesteps of a flow model, for Flux 10,000.
_TIMESTEPS = (1_000, 10_000)
_MOST_SHIFT = 20.0


@dataclass(frozen=True)
class SigmaRange:
    """The noise levels a model knows.

    Args:
        sigma_min, sigma_max: noise std in the model's own sigma space, 0 < sigma_min < sigma_max (flow: <= 1, which a
            float32 rounding above it is taken for).
        flow: True for CONST / rectified-flow models.
    Raises:
        ValueError: names the argument and its value.
    """

    sigma_min: float
    sigma_max: float
    flow: bool = False

    def __post_init__(self) -> None:
        for name, value in (("sigma_min", self.sigma_min), ("sigma_max", self.sigma_max)):
            if not math.isfinite(value) or value <= 0:
                raise ValueError(f"{name} must be finite and > 0, got {value}")
        if self.flow:
            object.__setattr__(self, "sigma_max", flow_top(self.sigma_max))
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min must be below sigma_max, got {self.sigma_min} and {self.sigma_max}")
        if self.flow and self.sigma_max > 1.0:
            raise ValueError(f"sigma_max of a flow model must be <= 1, got {self.sigma_max}")

    def at_noise_fraction(self, fraction: float) -> float:
        """Sigma whose share noise / (noise + signal) is `fraction` (0..1] of the share at sigma_max."""
        if self.flow:
            return fraction * self.sigma_max
        share = fraction * self.sigma_max / (1.0 + self.sigma_max)
        return share / (1.0 - share)


def flow_top(sigma: float) -> float:
    """The flow sigma, or 1 where it is above 1 by no more than float32 rounds."""
    return 1.0 if 1.0 < sigma <= 1.0 + _ROUNDING else sigma


def log_snr(sigma: ArrayLike, *, flow: bool) -> Array:
    """Log signal-to-noise ratio log(alpha**2 / sigma**2): VE -2 log sigma, flow 2 log((1 - sigma) / sigma).

    A flow sigma of 1 is taken as 1 - FLOW_EDGE, which keeps the value finite.
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    if not flow:
        return -2.0 * np.log(sigma)
    sigma = np.minimum(sigma, 1.0 - FLOW_EDGE)
    return 2.0 * (np.log1p(-sigma) - np.log(sigma))


def sigma_from_log_snr(value: ArrayLike, *, flow: bool) -> Array:
    """Inverse of `log_snr`."""
    half = 0.5 * np.asarray(value, dtype=np.float64)
    return 1.0 / (1.0 + np.exp(half)) if flow else np.exp(-half)


def to_ve(sigma: ArrayLike) -> Array:
    """VE sigma with the signal-to-noise ratio of a flow sigma < 1."""
    sigma = np.asarray(sigma, dtype=np.float64)
    return sigma / (1.0 - sigma)


def from_ve(sigma: ArrayLike) -> Array:
    """Flow sigma with the signal-to-noise ratio of a VE sigma."""
    sigma = np.asarray(sigma, dtype=np.float64)
    return sigma / (1.0 + sigma)


def shift_flow(time: ArrayLike, shift: float) -> Array:
    """Flow sigma at time 0..1 under a timestep shift: the odds sigma / (1 - sigma) are multiplied by `shift`.

    Source: Esser et al. 2024, arXiv:2403.03206, eq. 23 (alpha there is `shift` here).
    """
    time = np.asarray(time, dtype=np.float64)
    return shift * time / (1.0 + (shift - 1.0) * time)


def shift_of_range(sigma_min: float, timesteps: int = 1000) -> float:
    """Shift of a flow table whose smallest sigma, at time 1 / timesteps, is `sigma_min`. Inverse of `shift_flow`."""
    time = 1.0 / timesteps
    return sigma_min * (1.0 - time) / (time * (1.0 - sigma_min))


def told_shift(sigma_min: float) -> float:
    """The shift, from 1 to 20, that a flow model's least sigma tells: the maker's own word on its noise levels.

    Of the two table lengths that hosts have, the shorter is meant unless the shift would come out below 1.
    """
    shifts = (shift_of_range(sigma_min, count) for count in _TIMESTEPS)
    return min(next((shift for shift in shifts if shift >= 0.99), 1.0), _MOST_SHIFT)
