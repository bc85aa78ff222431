"""Samplers that node packs could bring: hidden noise, memory, levels of their own, failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sigmasmith.schedules.samplers.by_name import own_sampler
from torch import Tensor

from .zoo import REFUSED, RIGHT, Hostile


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
    noise_sampler = noise_sampler or (lambda *_: torch.randn_like(x))  # as hosts' samplers do where none is given
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
