"""The function types that everything is written in, each of them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

# k-diffusion's model: (x (B, ...), sigma (B,) noise std, **extra_args) -> denoised (B, ...), the clean data it expects.
Denoiser = Callable[..., Tensor]
# k-diffusion's sampler: (model, x at sigmas[0], sigmas (steps + 1,), extra_args=None, callback=None, disable=None, ...)
# -> x at sigmas[-1].
SamplerFunction = Callable[..., Tensor]
# Told once a step: x and denoised (B, ...), the step's number i, sigma and sigma_hat (0-dim).
Callback = Callable[[dict[str, Any]], None]
# Noise of a step: (sigma, sigma_next) -> standard normal (B, ...), or as much of it as the caller asked for.
NoiseSampler = Callable[[Any, Any], Tensor]
# steps >= 1 -> (steps + 1,) sigma list.
Schedule = Callable[[int], Tensor]
# Name -> schedule that a fit is compared with.
Baselines = Mapping[str, Schedule]
# (calls done, calls in all, message); raising from it cancels.
Progress = Callable[[int, int, str], None]
