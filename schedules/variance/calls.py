"""What the samplers of this package share: a model that must answer with numbers, and Euler's step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..fitting.rollouts import check_finite

# k-diffusion's signature: fn(model, x, sigmas, extra_args=None, callback=None, disable=None, ...) -> x.
SamplerFunction = Callable[..., Tensor]
Callback = Callable[[dict[str, Any]], None]


class FiniteModel:
    """A denoiser that raises ModelError when its answer is not finite; its other attributes pass through."""

    def __init__(self, model: Any) -> None:
        self.calls = 0
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        denoised = self._model(x, sigma, **extra_args)
        # A sum is a tenth of the cost of looking at every value; half precision may overflow in it, hence the look.
        if not math.isfinite(float(denoised.sum())):
            check_finite(denoised, float(sigma.flatten()[0]), self.calls)
        self.calls += 1
        return denoised


def euler_step(x: Tensor, denoised: Tensor, sigma: Tensor | float, target: Tensor | float) -> Tensor:
    """x moved along (x - denoised) / sigma to another level, in k-diffusion's own order of operations."""
    return x + (x - denoised) / sigma * (target - sigma)


@torch.no_grad()
def sample_euler(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
) -> Tensor:
    """Euler's method with k-diffusion's signature; bit-equal to its sample_euler."""
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * x.new_ones([x.shape[0]]), **(extra_args or {}))
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        x = euler_step(x, denoised, sigmas[i], sigmas[i + 1])
    return x


def direction(sigmas: Sequence[float]) -> int:
    """-1 for a list that falls, +1 for one that rises (inversion).

    Raises:
        ValueError: names `sigmas`.
    """
    if len(sigmas) < 2:
        raise ValueError(f"sigmas must hold at least 2 noise levels, got {len(sigmas)}")
    if not all(math.isfinite(sigma) and sigma >= 0.0 for sigma in sigmas):
        raise ValueError("sigmas must be finite and 0 or more")
    steps = [after - before for before, after in pairwise(sigmas)]
    if all(step <= 0.0 for step in steps):
        return -1
    if all(step >= 0.0 for step in steps):
        return 1
    raise ValueError("sigmas must fall throughout, or rise throughout for an inversion; this list does both")
