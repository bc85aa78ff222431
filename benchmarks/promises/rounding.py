"""Models that compute in full precision and hand over a rounded output, as low-precision weights and kernels do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...schedules.presets.identity import Prediction

# Largest value of the 8-bit format with 4 exponent and 3 mantissa bits.
_FP8_MAX = 448.0


def to_bf16(values: Tensor) -> Tensor:
    return values.bfloat16().float()


def to_fp8(values: Tensor) -> Tensor:
    """3 mantissa bits, each sample scaled to the format's range by its largest value."""
    scale = values.abs().amax(dim=tuple(range(1, values.ndim)), keepdim=True).clamp_min(1e-30) / _FP8_MAX
    return (values / scale).to(torch.float8_e4m3fn).float() * scale


def exact(values: Tensor) -> Tensor:
    return values


# The first is no rounding: it shows how much of a lost gain is the step count's doing.
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {"exact": exact, "bf16": to_bf16, "fp8-like": to_fp8}


def rounded(
    denoiser: Callable[..., Tensor], rounding: str, prediction: Prediction | None = None
) -> Callable[..., Tensor]:
    """The denoiser of a model whose own output is rounded.

    Args:
        prediction: "v": x / (sigma^2 + 1) less the denoised, over sigma / sqrt(sigma^2 + 1), which stays of the
            picture's size where sigma is thousands; any other: noise or velocity, (x - denoised) / sigma.
    """
    grid = ROUNDINGS[rounding]

    def inexact(x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        level = sigma.reshape(-1, *[1] * (x.ndim - 1))
        kept, scale = x, level
        if prediction == "v":
            kept, scale = x / (level**2 + 1.0), level / (level**2 + 1.0).sqrt()
        return kept - scale * grid((kept - denoiser(x, sigma, **extra_args)) / scale)

    return inexact
