"""Closed forms that are the quantiles of a distribution over noise levels: Laplace and Beta."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv
from torch import Tensor

from ..core.noise_space import SigmaRange, log_snr, sigma_from_log_snr
from ..core.sigma_table import check_table, host_sigma_table, table_sigma
from ..core.sigmas import MAX_LIST, check_steps, finish_sigmas
from .ends import check_above, pin_ends, positions


def laplace_sigmas(
    steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False, mu: float = 0.0, beta: float = 0.5
) -> Tensor:
    """Quantiles of a Laplace distribution of log sigma, cut to the model's range, then 0.

    Args: as `tangent_sigmas` (angles.py), on flow models with logit sigma for log sigma, and
        mu: log sigma around which the steps gather.
        beta: width of the distribution in log sigma, > 0; towards infinity the list is even in log-SNR.
    Returns, Raises: as `tangent_sigmas`.
    Source: Hang et al. 2024, arXiv:2407.03297, section 3 (noise schedules as distributions of log-SNR).
    Differs: quantiles between those of the two ends. ComfyUI clamps the quantiles of the whole distribution, which
        repeats sigma_min and sigma_max, and appends no 0; where it does not clamp and beta is small against the
        range, both lists agree to 1e-4 in log sigma.
    """
    sigma_range, beta = SigmaRange(sigma_min, sigma_max, flow), check_above("beta", beta)
    if not np.isfinite(mu):
        raise ValueError(f"mu must be finite, got {mu}")
    high, low = (float(value) for value in -0.5 * log_snr([sigma_max, sigma_min], flow=flow))
    # Outside the range only one tail of the distribution is left, and every tail is the same exponential.
    centre = min(max(mu, low), high)
    above, below = -0.5 * np.expm1((centre - high) / beta), -0.5 * np.expm1((low - centre) / beta)
    mass = above - (above + below) * positions(steps)  # signed distance from the median, in probability
    with np.errstate(divide="ignore"):  # mass 0.5 is the far end of a tail; the ends are pinned
        value = centre - beta * np.sign(mass) * np.log1p(-2.0 * np.abs(mass))
    return pin_ends(sigma_from_log_snr(-2.0 * np.clip(value, low, high), flow=flow), sigma_range)


def beta_sigmas(
    steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    flow: bool = False,
    alpha: float = 0.6,
    beta: float = 0.6,
    table: ArrayLike | None = None,
) -> Tensor:
    """Quantiles of a Beta distribution over the model's timesteps, then 0.

    Args: as `laplace_sigmas`, and
        alpha, beta: shape, > 0; both below 1 put more steps at both ends, alpha < beta more at low noise.
        table: the model's ascending sigmas, one per timestep; default: `host_sigma_table` of the range.
    Returns:
        As `laplace_sigmas`, except that [-2] is the quantile 1 / steps and not sigma_min, as in hosts.
    Raises:
        ValueError: names the argument and its value.
    Source: Lee et al. 2024, arXiv:2407.12173, section 3.2.
    Differs: timesteps are not rounded, so no entry is lost to a repeat; equals ComfyUI's beta within half a timestep.
    """
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    alpha, beta = check_above("alpha", alpha), check_above("beta", beta)
    entries = host_sigma_table(sigma_range) if table is None else check_table(table, sigma_range)
    quantile = 1.0 - np.arange(check_steps(steps, most=MAX_LIST), dtype=np.float64) / steps
    place = betaincinv(alpha, beta, quantile) * (len(entries) - 1)
    # Shapes far from 1 put many quantiles on an end of the table; finish_sigmas keeps those apart by single bits.
    positive = np.clip(table_sigma(entries, place, flow=flow), sigma_min, sigma_max)
    positive[0] = sigma_max
    return finish_sigmas(positive)
