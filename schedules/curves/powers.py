"""Closed forms even in a power or a logarithm: Karras, exponential, polyexponential, log-SNR, VP."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from ..core.noise_space import Array, SigmaRange, from_ve, log_snr, sigma_from_log_snr
from .ends import check_above, pin_ends, positions


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False, rho: float = 7.0) -> Tensor:
    """Noise levels even in sigma**(1 / rho), then 0.

    Args:
        steps: solver intervals, >= 1 (not model calls).
        sigma_min, sigma_max: noise std in the model's own sigma space, 0 < min < max (flow: max <= 1).
        flow: True for CONST / rectified-flow models; the power is taken of the flow sigma itself, as hosts do.
        rho: dimensionless, > 0; larger puts more steps at low noise.
    Returns:
        (steps + 1,) float32, CPU, strictly decreasing; [0] == sigma_max, [-2] == sigma_min (steps >= 2), [-1] == 0.
    Raises:
        ValueError: names the argument and its value.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 5.
    Differs: float64, rounded once; equals k-diffusion's get_sigmas_karras to 1e-5, relative.
    """
    sigma_range, rho = SigmaRange(sigma_min, sigma_max, flow), check_above("rho", rho)
    low, high = math.log(sigma_min) / rho, math.log(sigma_max) / rho
    # Scaled by the larger end: sigma_max ** (1 / rho) alone overflows for rho near 0.
    position = positions(steps)
    root = (1.0 - position) + position * math.exp(low - high)
    return pin_ends(np.exp(rho * np.log(root)) * sigma_max, sigma_range)


def exponential_sigmas(steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False) -> Tensor:
    """Noise levels even in log sigma, then 0.

    Args: as `karras_sigmas`. On flow models the logarithm is that of the flow sigma itself, as hosts take it; the form
        even in log-SNR is `log_snr_uniform_sigmas`, which is the same list on VE models.
    Returns, Raises: as `karras_sigmas`.
    Source: Lu et al. 2022, arXiv:2206.00927, section 3.4 (even steps in log-SNR), in k-diffusion's form.
    Differs: float64, rounded once; equals k-diffusion's get_sigmas_exponential to 1e-5, relative.
    """
    return polyexponential_sigmas(steps, sigma_min, sigma_max, flow=flow, rho=1.0)


def polyexponential_sigmas(
    steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False, rho: float = 1.0
) -> Tensor:
    """Noise levels whose log sigma falls as a power of the position, then 0.

    Args: as `karras_sigmas`; rho > 0: 1 is `exponential_sigmas`, larger puts more steps at low noise.
    Returns, Raises: as `karras_sigmas`.
    Source: k-diffusion (Crowson), get_sigmas_polyexponential.
    Differs: float64, rounded once; equals it to 1e-5, relative.
    """
    sigma_range, rho = SigmaRange(sigma_min, sigma_max, flow), check_above("rho", rho)
    ramp = (1.0 - positions(steps)) ** rho
    return pin_ends(np.exp(math.log(sigma_min) + ramp * math.log(sigma_max / sigma_min)), sigma_range)


def log_snr_uniform_sigmas(steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False) -> Tensor:
    """Noise levels even in log-SNR, then 0: log sigma on VE models, logit sigma on flow models.

    Args: as `karras_sigmas`. A flow sigma of 1 has no finite log-SNR and counts as 1 - 1e-4, as in hosts; the list
        still starts at 1.
    Returns, Raises: as `karras_sigmas`.
    Source: Lu et al. 2022, arXiv:2206.00927, section 3.4.
    """
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    first, last = (float(value) for value in log_snr([sigma_max, sigma_min], flow=flow))
    return pin_ends(sigma_from_log_snr(first + (last - first) * positions(steps), flow=flow), sigma_range)


def vp_sigmas(
    steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False, beta_d: float = 19.9, beta_min: float = 0.1
) -> Tensor:
    """Noise levels even in the time of the continuous VP process, then 0.

    Args: as `karras_sigmas`; beta_d > 0 and beta_min >= 0: slope and start of the noise rate, per unit of time.
    Returns, Raises: as `karras_sigmas`.
    Source: Song et al. 2021, arXiv:2011.13456, eq. 33: log(1 + sigma**2) = beta_d t**2 / 2 + beta_min t.
    Differs: time runs between the ends of the model's range, not from 1 to eps_s; with those ends it equals
        k-diffusion's get_sigmas_vp to 1e-5, relative. Flow models use the VE sigma of the same signal-to-noise ratio.
    """
    sigma_range, beta_d = SigmaRange(sigma_min, sigma_max, flow), check_above("beta_d", beta_d)
    if not 0.0 <= beta_min < math.inf:
        raise ValueError(f"beta_min must be finite and >= 0, got {beta_min}")

    def time(sigma: float) -> float:
        exponent = np.logaddexp(0.0, -log_snr(sigma, flow=flow))
        return float((math.sqrt(beta_min**2 + 2.0 * beta_d * exponent) - beta_min) / beta_d)

    first, last = time(sigma_max), time(sigma_min)
    at = first + (last - first) * positions(steps)
    ve: Array = np.sqrt(np.expm1(beta_d * at**2 / 2.0 + beta_min * at))
    return pin_ends(from_ve(ve) if flow else ve, sigma_range)
