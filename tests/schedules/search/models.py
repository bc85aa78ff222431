"""Models and rewards whose best image is known."""

from __future__ import annotations

from typing import Any

import torch
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.stepwise import StepSearch
from torch import Tensor

SIGMAS = karras_sigmas(8, 0.03, 15.0)


def two_modes(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
    """Exact denoiser of two equally likely images: all 1, and all -1."""
    s = sigma.reshape(-1, *[1] * (x.ndim - 1))
    logit = x.flatten(1).sum(dim=1).reshape(s.shape) / s**2
    return torch.tanh(logit).expand_as(x)


def to_images(latents: Tensor) -> Tensor:
    """(N, H, W, 3) in 0..1; frames of a video are averaged."""
    flat = latents.mean(dim=2) if latents.ndim == 5 else latents
    return ((flat[:, :1] + 1.0) / 2.0).clamp(0.0, 1.0).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)


BRIGHT = ScoreReward("brightness", lambda images: images.mean(dim=(1, 2, 3)))


def bright_search(budget: int = 24, **settings: Any) -> StepSearch:
    return StepSearch(BRIGHT, to_images, budget, **settings)
