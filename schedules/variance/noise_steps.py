"""How much noise one step adds: the formulas, VE and flow.

A noisy step from sigma to s = sigma_next is a deterministic one, down to a lower level sigma_down, followed by

    x <- scale * x + std * noise

which brings it back up to s. `scale` is 1 on VE models; on flow models x = (1 - sigma) * x0 + sigma * noise, so the
share of the image must shrink from 1 - sigma_down to 1 - s. With `ve(sigma) = sigma / (1 - sigma)` a flow state divided
by 1 - sigma is a VE state, and every VE formula holds for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# ddim: the DDPM posterior at eta 1, on flow models by way of their VE level. rectified: what hosts do for flow models
# in euler_ancestral. sde: the exact noise of the stochastic DPM-Solver++ family.
Form = Literal["ddim", "rectified", "sde"]


@dataclass(frozen=True)
class NoisyStep:
    """One step taken apart.

    Attributes:
        sigma_down: level that the deterministic part goes to, 0..s.
        scale: factor of the state after it.
        std: of the noise then added; scale**2 * sigma_down**2 + std**2 == s**2.
    """

    sigma_down: float
    scale: float
    std: float


def noisy_step(sigma: float, sigma_next: float, eta: float, *, flow: bool = False, form: Form = "ddim") -> NoisyStep:
    """A step's deterministic end and the noise that follows.

    Args:
        sigma: start, > 0; on flow models <= 1.
        sigma_next: end s, 0 <= s < sigma. At 0 nothing is added.
        eta: 0 deterministic, 1 full noise.
        form: see Form; `rectified` exists for flow models only and is `ddim` on VE ones.
    Returns:
        With eta 0: sigma_down == sigma_next exactly, scale 1 and std 0.
    Source: Song et al. 2020, arXiv:2010.02502, eq. 16 (ddim); Lu et al. 2022, arXiv:2211.01095, SDE-DPM-Solver++ (sde).
    Differs: equals k-diffusion's get_ancestral_step (VE) and ComfyUI's rectified-flow form within float32 rounding.
    """
    if eta == 0.0 or sigma_next == 0.0:
        return NoisyStep(sigma_next, 1.0, 0.0)
    if flow and form == "rectified":
        down = sigma_next * (1.0 + (sigma_next / sigma - 1.0) * eta)
        scale = (1.0 - sigma_next) / (1.0 - down)
        return NoisyStep(down, scale, _root(sigma_next**2 - (scale * down) ** 2))
    start, end = (ve_level(sigma), ve_level(sigma_next)) if flow else (sigma, sigma_next)
    ratio = 0.0 if math.isinf(start) else end / start
    if form == "sde":
        down = end * ratio**eta
        up = end * _root(1.0 - ratio ** (2.0 * eta))
    else:
        up = min(end, eta * end * _root(1.0 - ratio**2))
        down = _root(end**2 - up**2)
    if not flow:
        return NoisyStep(down, 1.0, up)
    return NoisyStep(down / (1.0 + down), (1.0 - sigma_next) * (1.0 + down), (1.0 - sigma_next) * up)


def posterior_factor(sigma: float, sigma_next: float, share: float, *, sigma_data: float, flow: bool = False) -> float:
    """The factor of the noise of an eta = 1 step, to lie between the bounds of the posterior variance.

    The lower bound is that of a single image, V_lo = s**2 (sigma**2 - s**2) / sigma**2, which eta = 1 adds; the upper
    one that of Gaussian data, V_up = (sigma**2 - s**2) (d**2 + s**2) / (d**2 + sigma**2).

    Args:
        share: 0 lower bound .. 1 upper bound, linear in the logarithm of the variance.
        sigma_data: std d of the data in latent units.
    Returns:
        sqrt(V / V_lo) >= 1; infinite at sigma_next = 0, where no noise is added.
    Source: Nichol and Dhariwal 2021, arXiv:2102.09672, eq. 15, in VE units.
    """
    if share == 0.0:
        return 1.0
    start, end = (ve_level(sigma), ve_level(sigma_next)) if flow else (sigma, sigma_next)
    if end == 0.0:
        return math.inf
    spread = sigma_data**2
    # sigma**2 / (d**2 + sigma**2), finite for the endless VE level of a flow model's first sigma.
    gain = 1.0 if math.isinf(start) else start**2 / (spread + start**2)
    return (gain * (spread + end**2) / end**2) ** (0.5 * share)


def churn_level(sigma: float, steps: int, s_churn: float, *, flow: bool, highest: float) -> float:
    """The level that churn raises sigma to, before a step: sigma * (1 + min(s_churn / steps, sqrt(2) - 1)).

    Args:
        highest: of the run; flow models know no level above it.
    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2.
    """
    raised = sigma * (1.0 + min(s_churn / steps, math.sqrt(2.0) - 1.0))
    return max(sigma, min(raised, highest)) if flow else raised


def raise_level(sigma: float, higher: float, *, flow: bool) -> NoisyStep:
    """Scale and std that bring a state from sigma up to `higher`: churn, and the jump back of a restart."""
    scale = (1.0 - higher) / (1.0 - sigma) if flow else 1.0
    return NoisyStep(sigma, scale, _root(higher**2 - (scale * sigma) ** 2))


def ve_level(sigma: float) -> float:
    """VE sigma of a flow sigma; infinite at 1."""
    return sigma / (1.0 - sigma) if sigma < 1.0 else math.inf


def _root(value: float) -> float:
    # Rounding can take a difference of equal squares just below 0.
    return math.sqrt(max(value, 0.0))
