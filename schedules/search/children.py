"""One step of a noise-drawing sampler taken apart: a mean that all children share, and the spread of their noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ..core.noise_space import FLOW_EDGE
from ..variance.noise_steps import noisy_step, ve_level

# As hosts name the samplers whose steps these are.
StepRule = Literal["euler_ancestral", "dpmpp_2m_sde"]
STEP_RULES: tuple[StepRule, ...] = ("euler_ancestral", "dpmpp_2m_sde")


@dataclass
class History:
    """The memory of a path of its last step: the model output, and the step's length in log-SNR / 2."""

    denoised: Tensor | None = None
    length: float = 0.0


def mean_and_spread(
    rule: StepRule, x: Tensor, denoised: Tensor, sigma: float, target: float, eta: float, flow: bool, past: History
) -> tuple[Tensor, float]:
    """The mean (B, ...) of the states at `target`, and the standard deviation of the noise that comes on top.

    Args:
        x, denoised: (B, ...) state and model output at sigma.
        target: next level, 0 <= target < sigma; at 0 the mean is the model output and the deviation 0.
        eta: 0 without noise, 1 full noise.
        past: of this path; not changed.
    Source: Karras et al. 2022 (ancestral Euler; flow models as hosts do it); Lu et al. 2022, arXiv:2211.01095,
        SDE-DPM-Solver++(2M), midpoint.
    Differs: both equal the hosts' samplers of these names within float32 rounding.
    """
    if target == 0.0:
        return denoised, 0.0
    if rule == "euler_ancestral":
        step = noisy_step(sigma, target, eta, flow=flow, form="rectified")
        mean = step.scale * (x + (x - denoised) / sigma * (step.sigma_down - sigma))
        return mean, step.std
    sigma = min(sigma, 1.0 - FLOW_EDGE) if flow else sigma
    h = math.log(ve_level(sigma) / ve_level(target)) if flow else math.log(sigma / target)
    gain = (1.0 - target if flow else 1.0) * -math.expm1(-h * (1.0 + eta))
    mean = (target / sigma * math.exp(-h * eta)) * x + gain * denoised
    if past.denoised is not None:
        mean = mean + (0.5 * gain * h / past.length) * (denoised - past.denoised)
    return mean, target * math.sqrt(-math.expm1(-2.0 * h * eta))


def step_length(sigma: float, target: float, flow: bool) -> float:
    """Length of a step in log-SNR / 2, for the history."""
    sigma = min(sigma, 1.0 - FLOW_EDGE) if flow else sigma
    return math.log(ve_level(sigma) / ve_level(target)) if flow else math.log(sigma / target)
