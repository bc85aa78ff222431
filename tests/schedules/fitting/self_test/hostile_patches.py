"""Patches of a model's output that node packs could bring, and what is right to say of each."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .zoo import ALONE, REFUSED, RIGHT, WHOLE, Hostile, column


class Patch:
    """Changes nothing."""

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return denoised


def patch(change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[], Patch]:
    """A patch that remembers nothing."""

    class Changing(Patch):
        def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
            return change(denoised, x, sigma)

    return Changing


class Previous(Patch):
    """Blends with the output of the call before, and forgets it where sigma rises."""

    share = 0.2

    def __init__(self) -> None:
        self.before: Tensor | None = None
        self.last = 0.0

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        before, falls = self.before, float(sigma[0]) <= self.last
        fits = before is not None and before.shape == denoised.shape and falls
        blended = denoised + self.share * (before - denoised) if before is not None and fits else denoised
        self.before, self.last = blended, float(sigma[0])
        return blended


class StepCache(Previous):
    """Answers every second call with the one before."""

    share = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls = 0 if float(sigma[0]) > self.last else self.calls + 1
        self.share = float(self.calls % 2)
        return super().__call__(denoised, x, sigma)


class Counting(Patch):
    """Grows with every call that it has ever had."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls += 1
        return denoised * (1.0 + 0.01 * self.calls)


class CountingInRun(Counting):
    """Changes with the number of the call in its run."""

    last = 0.0

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls = -1 if float(sigma[0]) > self.last else self.calls
        self.last = float(sigma[0])
        self.calls += 1
        return denoised * (1.0 + 0.05 * min(self.calls, 4))


class Generated(Patch):
    """Noise of a generator that begins anew in every run."""

    def __init__(self) -> None:
        self.generator, self.last = torch.Generator(), 0.0

    def __call__(self, denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        if float(sigma[0]) > self.last:
            self.generator.manual_seed(1)
        self.last = float(sigma[0])
        return denoised + 0.1 * torch.randn(denoised.shape[1:], generator=self.generator)


def _raises_above_one(denoised: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    if len(x) > 1:
        raise RuntimeError("this patch takes one image")
    return denoised


PATCHES = {
    "none": Hostile(Patch, RIGHT),
    "gain": Hostile(patch(lambda denoised, x, sigma: 0.9 * denoised), RIGHT),
    "by sigma": Hostile(patch(lambda denoised, x, sigma: denoised * (1.0 - 0.1 * (column(sigma, x) < 1.0))), RIGHT),
    "by state": Hostile(patch(lambda denoised, x, sigma: denoised + 0.05 * torch.tanh(x)), RIGHT),
    "half": Hostile(patch(lambda denoised, x, sigma: denoised.half()), RIGHT),
    "bfloat16": Hostile(patch(lambda denoised, x, sigma: denoised.bfloat16().float()), RIGHT),
    "float64": Hostile(patch(lambda denoised, x, sigma: denoised.double()), RIGHT),
    "previous": Hostile(Previous, WHOLE),
    "step cache": Hostile(StepCache, WHOLE),
    "counting in its run": Hostile(CountingInRun, WHOLE),
    "generated anew": Hostile(Generated, WHOLE),
    "counting": Hostile(Counting, REFUSED, "from run to run"),
    "torch noise": Hostile(patch(lambda d, x, sigma: d + 0.1 * torch.randn_like(d)), REFUSED, "random numbers"),
    "numpy noise": Hostile(patch(lambda d, x, sigma: d + 0.1 * float(np.random.randn())), REFUSED, "random numbers"),
    "python noise": Hostile(patch(lambda d, x, sigma: d * (1.0 + 0.1 * random.random())), REFUSED, "random numbers"),
    "merged at random": Hostile(
        patch(lambda d, x, sigma: torch.where(torch.rand_like(d) < 0.5, d, d.roll(1, -1))), REFUSED, "random numbers"
    ),
    "shared style": Hostile(patch(lambda d, x, sigma: 0.7 * d + 0.3 * d[:1]), ALONE),
    "mean of the batch": Hostile(patch(lambda d, x, sigma: d - 0.3 * d.mean(dim=0, keepdim=True)), ALONE),
    "last row": Hostile(patch(lambda d, x, sigma: 0.8 * d + 0.2 * d[-1:]), ALONE),
    "one image": Hostile(patch(_raises_above_one), ALONE),
    "other shape": Hostile(patch(lambda d, x, sigma: d[..., :-1]), REFUSED, "shape"),
    "infinite": Hostile(patch(lambda d, x, sigma: d / (column(sigma, x) > 0.1)), REFUSED, "NaN or infinity"),
    "raises": Hostile(patch(lambda d, x, sigma: d + d.new_zeros(3)[5]), REFUSED, "IndexError"),
}
