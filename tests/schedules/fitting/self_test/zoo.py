"""Hostile guiders, patches and samplers, written for these tests, and what is right to say of each.

Everything here is a class that is made anew for every host, because some of them remember. A guider makes the model's
output of the conditional and the unconditional one; a patch changes it further; both may do what node packs do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sigmasmith.schedules.samplers.by_name import own_sampler
from torch import Tensor

# What the tools say: nothing, for all is well; that every run is whole; that images ran alone; or a refusal.
RIGHT, WHOLE, ALONE, REFUSED = "right", "whole", "alone", "refused"


@dataclass(frozen=True)
class Hostile:
    """One of the zoo.

    Args:
        make: a new one.
        expected: of a fit.
        words: that a refusal must hold.
    """

    make: Callable[[], Any]
    expected: str
    words: str = ""


def column(sigma: Tensor, x: Tensor) -> Tensor:
    return sigma.reshape(-1, *[1] * (x.ndim - 1))


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
        return guidance / (0.5 + guidance.flatten(1).std(dim=1, keepdim=True))


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


def euler(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    for now, after in pairwise(sigmas):
        denoised = model(x, now * x.new_ones([len(x)]), **(extra_args or {}))
        x = x + (x - denoised) / now * (after - now)
    return x


def after_euler(change: Callable[[Tensor, dict[str, Any]], Tensor]) -> Callable[[], Any]:
    """Euler whose end state is changed."""

    def make() -> Any:
        def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
            return change(euler(model, x, sigmas, extra_args), extra_args or {})

        return sample

    return make


def seeded(x: Tensor, extra_args: dict[str, Any]) -> Tensor:
    return x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(extra_args["seed"]))


def remembering() -> Any:
    ends: list[Tensor] = []

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        end = euler(model, x, sigmas, extra_args)
        ends.append(end[:1])
        return end + 0.1 * sum(ends[:-1], torch.zeros(1))

    return sample


def generating() -> Any:
    generator = torch.Generator().manual_seed(4)
    return after_euler(lambda x, _: x + 0.1 * torch.randn(x.shape, generator=generator))()


def ancestral(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, noise_sampler: Any = None, **_: Any
) -> Any:
    for now, after in pairwise(sigmas):
        denoised = model(x, now * x.new_ones([len(x)]), **(extra_args or {}))
        down, up = 0.8 * after, 0.6 * after
        x = x + (x - denoised) / now * (down - now)
        if after > 0:
            x = x + noise_sampler(now, after) * up
    return x


def half_told(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, noise_sampler: Any = None, **_: Any
) -> Any:
    end = ancestral(model, x, sigmas, extra_args, noise_sampler)
    return end + 0.2 * torch.randn_like(end)


def own_levels(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    return euler(model, x, torch.linspace(float(sigmas[0]), 0.0, 5), extra_args)


def in_place(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    end = euler(model, x, sigmas, extra_args)
    sigmas[1:] *= 0.5
    return end


def in_double(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    return euler(model, x.double(), sigmas.double(), extra_args)


def two_calls(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **given: Any) -> Tensor:
    return own_sampler("heun")(model, x, sigmas, extra_args=extra_args)


def many_calls(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    fine = [torch.linspace(float(a), float(b), 4)[:-1] for a, b in pairwise(sigmas)]
    return euler(model, x, torch.cat([*fine, sigmas[-1:]]), extra_args)


def autograd(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")


def nan_low(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
    return euler(model, x, sigmas, extra_args) / 0.0 * 0.0


def lazy(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **given: Any) -> Tensor:
    time.sleep(1e-3)
    return euler(model, x, sigmas, extra_args)


def whole(function: Any) -> Callable[[], Any]:
    return lambda: function


SAMPLERS = {
    "euler": Hostile(whole(euler), RIGHT),
    "dpmpp_2m": Hostile(whole(own_sampler("dpmpp_2m")), RIGHT),
    "heun": Hostile(whole(two_calls), RIGHT),
    "three calls": Hostile(whole(many_calls), RIGHT),
    "ancestral": Hostile(whole(ancestral), RIGHT),
    "writes into its list": Hostile(whole(in_place), RIGHT),
    "in double": Hostile(whole(in_double), RIGHT),
    "slow": Hostile(whole(lazy), RIGHT),
    "torch noise": Hostile(after_euler(lambda x, _: x + 0.1 * torch.randn_like(x)), REFUSED, "draws noise"),
    "numpy noise": Hostile(after_euler(lambda x, _: x + float(np.random.randn())), REFUSED, "draws noise"),
    "seeded noise": Hostile(after_euler(seeded), REFUSED, "draws noise"),
    "half told": Hostile(whole(half_told), REFUSED, "draws noise"),
    "own generator": Hostile(generating, REFUSED, "draws noise"),
    "remembering": Hostile(remembering, REFUSED, ""),
    "own levels": Hostile(whole(own_levels), REFUSED, "ignores every schedule"),
    "mean of the batch": Hostile(after_euler(lambda x, _: x - 0.3 * x.mean(dim=0)), REFUSED, "others in its batch"),
    "first row": Hostile(after_euler(lambda x, _: x + 0.3 * x[:1]), REFUSED, "others in its batch"),
    "other shape": Hostile(after_euler(lambda x, _: x[..., :-1]), REFUSED, "shape"),
    "one row": Hostile(after_euler(lambda x, _: x[:1]), REFUSED, "shape"),
    "nan": Hostile(whole(nan_low), REFUSED, "NaN or infinity"),
    "autograd": Hostile(whole(autograd), REFUSED, "Cannot access data pointer"),
}
