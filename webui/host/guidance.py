"""A guidance curve on the host's denoiser: every model call is given the CFG scale of its noise level."""

from __future__ import annotations

import math
from typing import Any

import torch
from modules import sd_samplers_kdiffusion
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from ...schedules.curves.guidance import GuidanceCurve
from ..guidance import parse_guidance
from .identity import is_flow


def set_guidance(denoiser: Any, text: str) -> GuidanceCurve | None:
    """Let a CFGDenoiser of the host follow a curve, for the one run that it is made for.

    Args:
        text: of the curve, see guidance.py; "" leaves the denoiser as it is.
    Returns:
        None where there is no curve, or the denoiser is told timesteps and not sigmas.
    """
    if not text.strip() or not isinstance(denoiser, sd_samplers_kdiffusion.CFGDenoiserKDiffusion):
        return None
    table = denoiser.inner_model.sigmas.detach().cpu().double()
    low, high = float(table[0]), float(table[-1])
    sigma_range = SigmaRange(low, high, flow=is_flow(denoiser.inner_model, high))
    curve = parse_guidance(text, sigma_range, lambda share: _at_share(table, share))
    if curve is not None:
        denoiser.forward = _Guided(denoiser, curve)
    return curve


def _at_share(table: Tensor, share: float) -> float:
    """Sigma at a share of the run: tables of all hosts are even in the model's time."""
    place = (1.0 - share) * (len(table) - 1)
    below = min(int(place), len(table) - 2)
    first, second = math.log(float(table[below])), math.log(float(table[below + 1]))
    return math.exp(first + (second - first) * (place - below))


class _Guided:
    """In place of the denoiser's forward(x, sigma, uncond=, cond=, cond_scale=, ...)."""

    def __init__(self, denoiser: Any, curve: GuidanceCurve) -> None:
        self.denoiser, self.curve, self.inner = denoiser, curve, type(denoiser).forward

    def __call__(self, x: Tensor, sigma: Tensor, *given: Any, cond_scale: float, **named: Any) -> Tensor:
        row_scales = [self.curve.at(level, float(cond_scale)) for level in sigma.detach().flatten().tolist()]
        scales, step, outs = sorted(set(row_scales)), getattr(self.denoiser, "step", 0), []
        for scale in scales:
            self.denoiser.step = step  # the host counts calls; runs with other scales are one and the same
            outs.append(self.inner(self.denoiser, x, sigma, *given, cond_scale=scale, **named))
        if len(outs) == 1:
            return outs[0]
        return torch.stack([outs[scales.index(scale)][row] for row, scale in enumerate(row_scales)])
