"""The cosine family: noise levels even in an angle.  VE sigma = tan(angle); flow sigma = tan / (1 + tan)."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from ..core.noise_space import Array, SigmaRange
from .ends import check_above, pin_ends, positions

# Timesteps of the table whose largest beta Improved DDPM clips.
_CLIP_TIMESTEPS = 1000


def _angle(sigma: float, scale: float, *, flow: bool) -> float:
    """Angle whose tangent is the VE sigma over `scale`; a flow sigma of 1 is exactly pi / 2."""
    return math.atan2(sigma, scale * (1.0 - sigma)) if flow else math.atan2(sigma, scale)


def _sigma(angle: Array, scale: float | Array, *, flow: bool) -> Array:
    """Inverse of `_angle`, without a division by the cosine of pi / 2 on flow models."""
    up, across = scale * np.sin(angle), np.cos(angle)
    return up / (up + across) if flow else up / across


def tangent_sigmas(steps: int, sigma_min: float, sigma_max: float, *, flow: bool = False, c: float = 1.0) -> Tensor:
    """Noise levels c * tan(angle) at even angles, then 0.

    Args:
        steps: solver intervals, >= 1 (not model calls).
        sigma_min, sigma_max: noise std in the model's own sigma space, 0 < min < max (flow: max <= 1).
        flow: True for CONST / rectified-flow models; there c scales sigma / (1 - sigma).
        c: std of the data that the curve is made for, > 0; smaller puts more steps at low noise. At 1 it is the curve
            that hosts call kl_optimal.
    Returns:
        (steps + 1,) float32, CPU, strictly decreasing; [0] == sigma_max, [-2] == sigma_min (steps >= 2), [-1] == 0.
    Raises:
        ValueError: names the argument and its value.
    Source: Sabour et al. 2024, arXiv:2404.14507, theorem 3.1 (optimal for Gaussian data of std c).
    Differs: takes c and flow models; c = 1 equals ComfyUI's kl_optimal to 1e-5, relative, and works at 1 step.
    """
    sigma_range, c = SigmaRange(sigma_min, sigma_max, flow), check_above("c", c)
    first, last = _angle(sigma_max, c, flow=flow), _angle(sigma_min, c, flow=flow)
    return pin_ends(_sigma(first + (last - first) * positions(steps), c, flow=flow), sigma_range)


def cosine_sigmas(
    steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    flow: bool = False,
    offset: float = 0.008,
    max_beta: float = 0.999,
) -> Tensor:
    """Improved DDPM's cosine schedule between the ends of the model's range, then 0.

    Even in time t, with alpha_bar(t) = cos(a)**2 / cos(a0)**2, a = (t + offset) / (1 + offset) * pi / 2, a0 at t = 0.

    Args: as `tangent_sigmas`, and
        offset: the paper's s, >= 0; keeps the noise of the first timesteps from vanishing.
        max_beta: 0..1; the clip of the paper's 1000-step table, which bounds the time that sigma_max counts as.
    Returns, Raises: as `tangent_sigmas`.
    Source: Nichol and Dhariwal 2021, arXiv:2102.09672, eq. 17 and the text below it.
    Differs: time runs between the ends of the model's range; at the times of the paper's 1000-step table, sigma equals
        sqrt(1 / alpha_bar - 1) of that table to 1e-9, relative, up to the clipped last entry.
    """
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    if not 0.0 <= offset < math.inf:
        raise ValueError(f"offset must be finite and >= 0, got {offset}")
    if not 0.0 < max_beta < 1.0:
        raise ValueError(f"max_beta must be above 0 and below 1, got {max_beta}")
    start = math.pi / 2.0 * offset / (1.0 + offset)
    step = math.pi / 2.0 / (1.0 + offset) / _CLIP_TIMESTEPS

    def angle(sigma: float) -> float:
        signal = (1.0 - sigma) / math.hypot(sigma, 1.0 - sigma) if flow else 1.0 / math.hypot(sigma, 1.0)
        return math.acos(max(signal, clipped) * math.cos(start))

    # sqrt(alpha_bar) of the last timestep, whose beta would be 1: one step before the end, less the clipped beta.
    clipped = math.sin(step) / math.cos(start) * math.sqrt(1.0 - max_beta)
    first, last = angle(sigma_max), angle(sigma_min)
    at = first + (last - first) * positions(steps)
    # sigma**2 / alpha_bar, as a product of sines because the difference of squares cancels near t = 0.
    noise = np.sqrt(np.sin(at - start) * np.sin(at + start))
    signal = np.cos(at)
    return pin_ends(noise / (noise + signal) if flow else noise / signal, sigma_range)


def shifted_cosine_sigmas(
    steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    flow: bool = False,
    resolution_ratio: float = 2.0,
    fine_ratio: float = 1.0,
) -> Tensor:
    """Simple diffusion's cosine schedule for larger images, with its interpolated shift, then 0.

    Even in time t with sigma = ratio(t) * tan(pi t / 2); log ratio goes from `fine_ratio` at t = 0 to
    `resolution_ratio` at t = 1.

    Args: as `tangent_sigmas`, and
        resolution_ratio: image side over the side that an unshifted cosine suits (64 in the paper), > 0. It moves the
            steps to the noise levels that a larger image needs: by 2 log(ratio) in log-SNR.
        fine_ratio: the same at low noise, > 0 and <= resolution_ratio; 1 leaves fine detail where it was. Equal
            ratios are the paper's plain shift, `tangent_sigmas` with c = ratio.
    Returns, Raises: as `tangent_sigmas`.
    Source: Hoogeboom et al. 2023, arXiv:2301.11093, section 3.1 (shifted cosine, interpolated schedule).
    Differs: the ratio is image over base side (the paper writes noise resolution over image side); time runs between
        the ends of the model's range.
    """
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    ratio, fine = check_above("resolution_ratio", resolution_ratio), check_above("fine_ratio", fine_ratio)
    if fine > ratio:
        raise ValueError(f"fine_ratio must be at most resolution_ratio, got {fine} and {ratio}")
    first, last = _shifted_time(sigma_max, ratio, fine, flow=flow), _shifted_time(sigma_min, ratio, fine, flow=flow)
    time = first + (last - first) * positions(steps)
    scale = np.exp(time * math.log(ratio) + (1.0 - time) * math.log(fine))
    return pin_ends(_sigma(time * math.pi / 2.0, scale, flow=flow), sigma_range)


def _shifted_time(sigma: float, ratio: float, fine: float, *, flow: bool) -> float:
    """Time at which the interpolated shift reaches sigma: bisection, monotone because ratio >= fine."""
    low, high = 0.0, 1.0
    for _ in range(64):
        time = 0.5 * (low + high)
        scale = math.exp(time * math.log(ratio) + (1.0 - time) * math.log(fine))
        if time * math.pi / 2.0 < _angle(sigma, scale, flow=flow):
            low = time
        else:
            high = time
    return high
