"""The one loop of the samplers that call the model once a step, at the sigmas they are given; and linear steps in it.

A linear multistep step, from sigma_i to sigma_{i+1}, is

    x_{i+1} = c_i x_i + sum_j w_ij F_{i-j}

with F the model output `denoised` D, or the derivative d = (x - D) / sigma, newest first. A row of coefficients is
(c_i, w_i0, w_i1, ...). Whoever makes the rows, a rule, a fit or a caller, this runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ..core.types import Callback, Denoiser

# What the weights of a row multiply.
Feature = Literal["denoised", "derivative"]
Row = Sequence[float]
# (x, denoised, i) -> the state after step i.
TakeStep = Callable[[Tensor, Tensor, int], Tensor]


@torch.no_grad()
def sample_steps(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    *,
    take: TakeStep,
) -> Tensor:
    """The state (B, ...) at sigmas[-1]: for every step one model call, the host told of it, and `take`.

    Args:
        model: denoiser, (x (B, ...), sigma (B,), **extra_args) -> denoised.
        x: (B, ...) state at sigmas[0].
        sigmas: (steps + 1,), in any order.
        disable: ignored, there is no progress bar; part of k-diffusion's signature.
        take: moves the state; it keeps what history it needs.
    """
    extra_args, ones = extra_args or {}, x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        sigma = sigmas[i]
        denoised = model(x, sigma * ones.to(x.dtype), **extra_args)  # outputs may be finer than x was
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        x = take(x, denoised, i)
    return x


def sample_linear(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    *given: Any,
    coefficients: Tensor | Sequence[Row | None],
    feature: Feature = "denoised",
    **options: Any,
) -> Tensor:
    """The state at the end of a run of linear multistep steps, with k-diffusion's signature.

    Args:
        model, x, sigmas, extra_args, given, options: as for sample_steps, k-diffusion's.
        coefficients: one row a step, in order: (steps, 1 + order), or rows of lengths of their own; weights beyond the
            history are not used. None for a step that returns the model output itself. Rows that are fewer than the
            steps end the run where they end.
        feature: what their weights multiply.
    Returns:
        (B, ...) state at sigmas[-1].
    """
    rows = coefficients.tolist() if isinstance(coefficients, Tensor) else coefficients
    order = max((len(row) - 1 for row in rows if row is not None), default=0)
    mask = (extra_args or {}).get("denoise_mask")
    levels, features = sigmas.tolist(), []  # newest first

    def take(x: Tensor, denoised: Tensor, i: int) -> Tensor:
        row = rows[i]
        if row is None:
            return denoised
        features.insert(0, denoised if feature == "denoised" else (x - denoised) / levels[i])
        del features[order:]
        x = linear_step(x, features, row)
        # Outside the mask the model output is the picture itself, which coefficients must not touch.
        return x if mask is None or levels[i + 1] != 0.0 else denoised + mask * (x - denoised)

    return sample_steps(model, x, sigmas[: len(rows) + 1], extra_args, *given, take=take, **options)


def linear_step(x: Tensor, features: Sequence[Tensor], row: Row) -> Tensor:
    """The state after one step: the state and the features (newest first) weighted with one row of coefficients.

    Two new tensors whatever the order: on a CPU, those of a large latent take longer to get than to fill.
    """
    x = row[0] * x
    product: Tensor | None = None
    for weight, feature in zip(row[1:], features):
        if weight == 0.0:
            continue
        spare = product if product is not None and product.dtype == feature.dtype else None
        product = torch.mul(feature, weight, out=spare)
        x = x.add_(product) if torch.result_type(x, product) == x.dtype else x + product
    return x
