"""The hosts' uni_pc and uni_pc_bh2, for comparisons only.

Source: Zhao et al. 2023, UniPC, arXiv:2302.04867, algorithms 3 and 4 (multistep, data prediction), B(h) = h or
e**h - 1, order 3.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...schedules.core.noise_space import Array
from ...schedules.core.types import SamplerFunction

Variant = Literal["bh1", "bh2"]

# The hosts end here in place of 0, and take what is left of the noise for nothing.
LAST_LEVEL = 1e-3


@torch.no_grad()
def sample_uni_pc(
    model: SamplerFunction,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    *,
    variant: Variant = "bh1",
    **_: Any,
) -> Tensor:
    """Predictor and corrector share their calls: as many of them as steps. Needs at least 3 steps.

    Differs: in the model's own space in place of a VP one, which is the same up to the scale of the state; equals the
    hosts' functions within float32 rounding.
    """
    levels = [*sigmas.tolist()[:-1], LAST_LEVEL]
    steps, order = len(levels) - 1, min(3, len(levels) - 2)
    past = [levels[0]]
    outputs = [model(x, torch.full((len(x),), levels[0]).to(x), **(extra_args or {}))]
    for step in range(1, steps + 1):
        now = min(order, step, steps + 1 - step)
        predicted = _step(x, past[:now], outputs[:now], levels[step], variant, None)
        if step == steps:
            return predicted
        ahead = model(predicted, torch.full((len(x),), levels[step]).to(x), **(extra_args or {}))
        x = _step(x, past[:now], outputs[:now], levels[step], variant, ahead)
        past, outputs = [levels[step], *past], [ahead, *outputs]
    return x


def _step(
    x: Tensor, past: list[float], outputs: list[Tensor], level: float, variant: Variant, ahead: Tensor | None
) -> Tensor:
    """One step from past[0] to `level`, predicted from the outputs (newest first), or corrected by the one `ahead`."""
    h = float(np.log(past[0] / level))
    distances = np.log(past[0] / np.array(past[1:])) / h  # in steps: negative
    weights = _weights(h, np.append(distances, [] if ahead is None else [1.0]), variant)
    result = level / past[0] * x - float(np.expm1(-h)) * outputs[0]
    others = [*outputs[1:], *([] if ahead is None else [ahead])]
    for weight, distance, output in zip(weights, [*distances, 1.0], others):
        result = result + float(weight / distance) * (output - outputs[0])
    return result


def _weights(h: float, distances: Array, variant: Variant) -> Array:
    """Weights of the divided differences to outputs at these distances, times -B(h)."""
    count = len(distances)
    scale = -h if variant == "bh1" else float(np.expm1(-h))
    if count == 0:
        return distances
    # One difference: the authors' fixed half, for the predictor of order 2 and the corrector of order 1 alike.
    if count == 1:
        return np.array([-0.5 * scale])
    phi, factorial, moments = np.expm1(-h) / -h - 1.0, 1.0, []
    for k in range(1, count + 1):
        moments.append(phi * factorial / scale)
        factorial *= k + 1
        phi = phi / -h - 1.0 / factorial
    return -scale * np.linalg.solve(distances ** np.arange(count)[:, None], np.array(moments))
