"""A host of six numbers an image: a guider and patches on a network, and runs of samplers on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from torch import Tensor

from .hostile_guiders import GUIDERS
from .hostile_patches import PATCHES
from .zoo import column

RANGE = SigmaRange(0.03, 14.6)
SHAPE = (6,)
ROWS = 5


def noise(rows: int = ROWS) -> Tensor:
    return torch.stack([torch.randn(SHAPE, generator=torch.Generator().manual_seed(40 + row)) for row in range(rows)])


def network(x: Tensor, sigma: Tensor, prompt: float) -> Tensor:
    """The exact denoiser of two clusters, which the prompt weighs."""
    level, pattern = column(sigma, x), torch.linspace(-1.0, 1.0, x.shape[-1])
    variance = 0.09 + level**2
    along = (x * pattern).mean(dim=1, keepdim=True)
    mean = pattern * torch.tanh(4.0 * along / variance.clamp_min(0.05) + prompt)
    return mean + 0.09 / variance * (x - mean)


class TinyHost:
    """A Run that splits, with new guiders and patches.

    Args:
        guider: a name in GUIDERS; `patches`: names in PATCHES.
    """

    splits = True

    def __init__(self, guider: str = "plain", patches: tuple[str, ...] = ()) -> None:
        self.guider = GUIDERS[guider].make()
        self.patches = [PATCHES[name].make() for name in patches]
        self.one_row = False
        self.calls = 0
        self.rows_called = 0
        self.levels: list[float] = []

    def one_row_at_a_time(self) -> None:
        self.one_row = True

    def __call__(self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice) -> None:
        self.end(sampler, sigmas, rows)

    def end(self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice) -> Tensor:
        """End state of one run."""
        x = noise()[rows] * float(sigmas[0])
        return sampler(_Model(self), x, sigmas, extra_args={"seed": 7}, callback=None, disable=True)

    def denoised(self, x: Tensor, sigma: Tensor) -> Tensor:
        """One call of the model."""
        self.calls += 1
        self.rows_called += len(x)
        self.levels.append(float(sigma[0]))
        denoised = self.guider(x, sigma, network(x, sigma, 0.6), network(x, sigma, 0.0))
        for change in self.patches:
            denoised = change(denoised, x, sigma)
        return denoised


class _Model:
    def __init__(self, host: TinyHost) -> None:
        self.host = host

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        if not self.host.one_row:
            return self.host.denoised(x, sigma)
        return torch.cat([self.host.denoised(x[row : row + 1], sigma[row : row + 1]) for row in range(len(x))])
