"""Guiders that node packs could bring: they remember, draw, couple the images of a batch, or fail."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from .zoo import ALONE, REFUSED, RIGHT, WHOLE, Hostile, column


class Plain:
    """Classifier-free guidance; the others change one thing."""

    scale = 2.0

    def __call__(self, x: Tensor, sigma: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return uncond + self.scale * self.changed(cond - uncond, x, sigma)

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance


class Momentum(Plain):
    """A running mean of the guidance that begins anew where sigma rises, as core APG has it."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None
        self.last = 0.0

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        if self.mean is None or float(sigma[0]) > self.last or self.mean.shape != guidance.shape:
            self.mean = torch.zeros_like(guidance)
        self.last = float(sigma[0])
        self.mean = guidance + 0.5 * self.mean
        return self.mean


class EndlessMomentum(Momentum):
    """The same, but for the beginning anew."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        self.mean = guidance + 0.5 * (self.mean[:1] if self.mean is not None else 0.0)
        return self.mean


class SlidingMode(Momentum):
    """Follows the sign of how the guidance changed since the call before."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        before = self.mean
        if before is None or float(sigma[0]) > self.last or before.shape != guidance.shape:
            before = guidance
        self.last, self.mean = float(sigma[0]), guidance
        return guidance - 0.2 * torch.tanh(4.0 * (guidance - before) + guidance)


class BatchThreshold(Plain):
    """Dynamic thresholding by a quantile over the whole batch."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        top = guidance.abs().flatten().quantile(0.7)
        return guidance.clamp(-top, top)


class OneTruth(Plain):
    """Asks a tensor of all rows for one truth, as core RenormCFG does."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        norm = guidance.flatten(1).norm(dim=1)
        return guidance * 0.5 if norm > 1.0 else guidance


class Annealed(Plain):
    """Noise on the guidance, as CADS has it."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance + 0.3 * torch.randn_like(guidance)


class OwnGenerator(Plain):
    """Noise of a generator of its own that goes on and on."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(3)

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance * float(0.5 + torch.rand(1, generator=self.generator))


class Scheduled(Plain):
    """A scale by sigma, as rescaling and interval nodes have it."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance * (0.5 + column(sigma, x) / (1.0 + column(sigma, x)))


class NanAtOneLevel(Plain):
    """NaN between two levels."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance * float("nan") if 0.3 < float(sigma[0]) < 3.0 else guidance


class Raising(Plain):
    """Cannot run at all."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return {7: guidance}[len(guidance)]


class Halved(Plain):
    """Answers in half precision."""

    def __call__(self, x: Tensor, sigma: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return super().__call__(x, sigma, cond, uncond).half()


class Slow(Plain):
    """Takes its time."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        time.sleep(2e-4)
        return guidance


class Rescaled(Plain):
    """RescaleCFG by the row's own spread."""

    def changed(self, guidance: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return guidance / (0.5 + guidance.std(dim=tuple(range(1, guidance.ndim)), keepdim=True))


GUIDERS = {
    "plain": Hostile(Plain, RIGHT),
    "rescaled": Hostile(Rescaled, RIGHT),
    "scheduled": Hostile(Scheduled, RIGHT),
    "half": Hostile(Halved, RIGHT),
    "slow": Hostile(Slow, RIGHT),
    "momentum": Hostile(Momentum, WHOLE),
    "sliding mode": Hostile(SlidingMode, WHOLE),
    "endless momentum": Hostile(EndlessMomentum, REFUSED, "from run to run"),
    "batch threshold": Hostile(BatchThreshold, ALONE),
    "one truth": Hostile(OneTruth, ALONE),
    "annealed": Hostile(Annealed, REFUSED, "random numbers"),
    "own generator": Hostile(OwnGenerator, REFUSED, "random numbers of its own"),
    "nan": Hostile(NanAtOneLevel, REFUSED, "NaN"),
    "raising": Hostile(Raising, REFUSED, "KeyError"),
}
