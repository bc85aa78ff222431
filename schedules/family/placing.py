"""Where the family's noise levels lie on one model: two numbers, scale c and stretch p, and the ends of its range.

With v the log of a VE sigma (flow: of sigma / (1 - sigma)), a level v of the family goes to

    v' = low + S_4(top - S_2(top - (log c + p v)) - low) (top - low) / S_4(top - low),    S_b(d) = log(1 + exp(b d)) / b

S_b(d) is d far above 0 and 0 far below: levels near an end of the model's range are squeezed inside it, in order, and
all others stay where scale and stretch put them. The last factor differs from 1 in very narrow ranges alone. A flow
model that starts at sigma 1 has no top.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit
from torch import Tensor

from ..core.noise_space import Array, SigmaRange
from ..core.sigmas import finish_sigmas

# Sharpness of the squeeze at the two ends: high noise tells little, so steps spread out there over more of the range.
_TOP, _LOW = 2.0, 4.0
SCALES, STRETCHES = (0.2, 60.0), (0.5, 2.0)


def whole_hundredths(scale: float, stretch: float) -> tuple[float, float]:
    """(log scale, stretch), both rounded to hundredths: so a list of the family can be told from one that merely has
    a similar shape.

    Raises:
        ValueError: out of range.
    """
    for name, value, limits in (("scale", scale, SCALES), ("stretch", stretch, STRETCHES)):
        if not limits[0] <= value <= limits[1]:
            raise ValueError(f"{name} must be from {limits[0]:g} to {limits[1]:g}, got {value}")
    return round(100.0 * math.log(scale)) / 100.0, round(100.0 * stretch) / 100.0


def log_odds(sigma: float, *, flow: bool) -> float:
    """Log of the VE sigma; infinite at a flow sigma of 1."""
    if not flow:
        return math.log(sigma)
    return math.inf if sigma >= 1.0 else math.log(sigma / (1.0 - sigma))


def log_levels(sigmas: Array, *, flow: bool) -> Array:
    """The same of sigmas strictly inside the range."""
    return np.log(sigmas) - (np.log1p(-sigmas) if flow else 0.0)


def placed(levels: Array, log_scale: float, stretch: float, sigma_range: SigmaRange) -> Tensor:
    """The family's levels as a model's sigma list.

    Args:
        levels: (steps - 1,) falling log levels of the family.
    Returns:
        (steps + 1,) float32, CPU, strictly decreasing; [0] == sigma_max, [-2] > sigma_min, [-1] == 0.
    """
    return finish_sigmas(
        np.concatenate([[sigma_range.sigma_max], placed_levels(levels, log_scale, stretch, sigma_range)])
    )


def placed_levels(levels: Array, log_scale: float, stretch: float, sigma_range: SigmaRange) -> Array:
    """(steps - 1,) float64 sigmas of the family's levels on a model, between the ends of its range."""
    flow = sigma_range.flow
    top, low = (log_odds(sigma, flow=flow) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    value = log_scale + stretch * levels
    if math.isfinite(top):
        value = top - _soft(top - value, _TOP)
    value = low + _soft(value - low, _LOW) * _fit(top - low)
    # Where levels are squeezed into nothing, rounding must not put one above the one before it.
    return np.minimum.accumulate(expit(value) if flow else np.exp(value))


def unplaced(sigmas: Array, sigma_range: SigmaRange) -> Array:
    """log c + p v of sigmas strictly inside the range: the inverse of `placed` but for scale and stretch.

    Levels within float32 of an end come out imprecise; `certainty` weighs them.
    """
    flow = sigma_range.flow
    top, low = (log_odds(sigma, flow=flow) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    value = log_levels(sigmas, flow=flow)
    value = low + _soft_inverse((value - low) / _fit(top - low), _LOW)
    return top - _soft_inverse(top - value, _TOP) if math.isfinite(top) else value


def certainty(values: Array, sigma_range: SigmaRange) -> Array:
    """(0 .. 1) how much a placed level moves when its unplaced value does: 0 where it is squeezed against an end."""
    flow = sigma_range.flow
    top, low = (log_odds(sigma, flow=flow) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    return expit(_LOW * (values - low)) * (expit(_TOP * (top - values)) if math.isfinite(top) else 1.0)


def _fit(room: float) -> float:
    """The factor that brings the upper end of the room between low and top back to the top after the squeeze at low."""
    return room / float(_soft(np.asarray(room), _LOW)) if math.isfinite(room) else 1.0


def _soft(distance: Array, sharpness: float) -> Array:
    return np.logaddexp(0.0, sharpness * distance) / sharpness


def _soft_inverse(distance: Array, sharpness: float) -> Array:
    return np.log(np.expm1(sharpness * np.maximum(distance, 1e-9))) / sharpness
