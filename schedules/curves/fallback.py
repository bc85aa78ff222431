"""The schedule of `sigmasmith_optimal` where no preset is loaded: one curve, frozen for good, that knows no model.

The constants below never change: workflows saved with them must give the same images. A better curve gets a new name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betainc, betaincinv, expit, logit
from torch import Tensor

from ..core.noise_space import Array, SigmaRange
from ..core.sigma_table import flow_shift
from ..core.sigmas import MAX_LIST, check_steps, finish_sigmas
from .ends import check_above


@dataclass(frozen=True)
class TwoSided:
    """Density of steps over log sigma that grows as sigma**fine below a centre and falls as sigma**-coarse above it.

    density = 1 / ((sigma / centre)**-fine + (sigma / centre)**coarse), with the VE sigma on flow models. fine = coarse
    = 1 is `tangent_sigmas`; both towards 0 is `log_snr_uniform_sigmas`.

    Args:
        fine, coarse: exponents, > 0.
        centre: VE sigma at which the density turns.
        left: last positive sigma: 0 is sigma_min; 1 is where the next step of an even grid to sigma_min would start,
            so that it falls with the step count.
    """

    fine: float
    coarse: float
    centre: float
    left: float


# Nelder-Mead on the measure of benchmarks/studies/fallback.py, which prints its table, over
# mixtures of 64 to 192 dimensions, latents of 256 to 65,536 values and the bundled digits networks, without guidance
# and with; the glyph flow network was not seen, the noise-prediction one in choosing `coarse` alone. VE: 0.0292 .. 14.6
# and 0.002 .. 700 together, and coarse then lowered from 0.78, which cost nothing there and gained on 0.002 .. 80 and
# 0.002 .. 700. Rounded to what can be told apart.
VE_CURVE = TwoSided(fine=0.22, coarse=0.45, centre=12.5, left=0.95)
FLOW_CURVE = TwoSided(fine=0.4, coarse=0.8, centre=4.5, left=2.0)
# The flow centre is that at shift 3. On one mixture thinned to larger and larger latents it moves as the shift does
# (Hoogeboom et al. 2023, arXiv:2301.11093, section 3.1), on models of one size not at all: the square root is between.
_FITTED_SHIFT = 3.0
_SHIFT_POWER = 0.5
# Beyond these a sigma_min says nothing about a shift that anybody trains with.
_SHIFTS = (1.0, 12.0)


def fallback_sigmas(steps: int, sigma_min: float, sigma_max: float, *, flow: bool) -> Tensor:
    """The best schedule that we know for a sigma range when nothing is known of the model.

    Args:
        steps: solver intervals, >= 1 (not model calls).
        sigma_min, sigma_max: noise std in the model's own sigma space, 0 < min < max (flow: max <= 1).
        flow: True for CONST / rectified-flow models; the shift is read from sigma_min.
    Returns:
        (steps + 1,) float32, CPU, strictly decreasing; [0] == sigma_max, [-2] > sigma_min falling towards it with
        the step count, [-1] == 0.
    Raises:
        ValueError: names the argument and its value.
    Source: own; the form contains Sabour et al. 2024, arXiv:2404.14507, theorem 3.1.
    """
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    if not flow:
        return two_sided_sigmas(steps, sigma_range, VE_CURVE)
    shift = min(max(flow_shift(sigma_range)[0], _SHIFTS[0]), _SHIFTS[1])
    curve = FLOW_CURVE
    centre = curve.centre * (shift / _FITTED_SHIFT) ** _SHIFT_POWER
    return two_sided_sigmas(steps, sigma_range, replace(curve, centre=centre))


def two_sided_sigmas(steps: int, sigma_range: SigmaRange, curve: TwoSided) -> Tensor:
    """Sigma list whose steps have the density `curve` between the ends of the range.

    With z = 1 / (1 + (sigma / centre)**-(fine + coarse)) the distribution function is the regularised incomplete beta
    function of z with parameters fine / (fine + coarse) and coarse / (fine + coarse), finite at a flow sigma of 1.

    Returns:
        (steps + 1,) float32, CPU, strictly decreasing; [0] == sigma_max, [-1] == 0.
    Raises:
        ValueError: names the argument and its value.
    """
    check_steps(steps, most=MAX_LIST)
    for name in ("fine", "coarse", "centre"):
        check_above(name, getattr(curve, name))
    if not 0.0 <= curve.left < math.inf:
        raise ValueError(f"left must be finite and >= 0, got {curve.left}")
    total = curve.fine + curve.coarse
    shape = curve.fine / total, curve.coarse / total
    top, bottom = (_log_ve(sigma, flow=sigma_range.flow) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    high, low = (betainc(*shape, expit(total * (value - math.log(curve.centre)))) for value in (top, bottom))
    spread = max(steps - 1 + curve.left, 1.0)
    place = betaincinv(*shape, high + (low - high) * np.arange(steps) / spread)
    log_ve = math.log(curve.centre) + logit(place) / total
    positive: Array = expit(log_ve) if sigma_range.flow else np.exp(log_ve)
    positive = np.clip(positive, sigma_range.sigma_min, sigma_range.sigma_max)
    positive[0] = sigma_range.sigma_max
    return finish_sigmas(positive)


def _log_ve(sigma: float, *, flow: bool) -> float:
    """Log of the VE sigma with the same signal-to-noise ratio, infinite at a flow sigma of 1."""
    return float(logit(sigma)) if flow else math.log(sigma)
