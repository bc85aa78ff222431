"""Two models in turn, as Wan 2.2 has them: one from sigma_max down to a boundary, the other below it.

Hosts run them as two runs in a row, the second from where the first stopped; so a multistep sampler begins the second
without history, and the fit does as they do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ..core.noise_space import Array, SigmaRange

# The teacher's first level of the second model: this share below the boundary, which itself belongs to the first.
_JUST_BELOW = 1e-6


def check_boundary(boundary: float, sigma_range: SigmaRange) -> float:
    """The boundary as given, or ValueError: it must lie inside the noise range."""
    if not sigma_range.sigma_min < boundary < sigma_range.sigma_max:
        raise ValueError(
            f"boundary must be a sigma between {sigma_range.sigma_min:.4g} and {sigma_range.sigma_max:.4g}, "
            f"got {boundary:g}"
        )
    return float(boundary)


def steps_above(sigmas: Tensor, boundary: float) -> int:
    """Steps of the first model: those that start at the boundary or above."""
    return int((sigmas[:-1].double() >= boundary).sum())


def parts(sigmas: Tensor, boundary: float | None) -> list[Tensor]:
    """The sigma lists that the models run one after the other; empty where a model has no step.

    The second begins with the sigma at which the first stopped. Without a boundary it is the whole list alone.
    """
    if boundary is None:
        return [sigmas]
    switch = steps_above(sigmas, boundary)
    return [sigmas[: switch + 1] if switch else sigmas[:0], sigmas[switch:] if switch < len(sigmas) - 1 else sigmas[:0]]


def levels_with_boundary(levels: Array, boundary: float | None) -> Array:
    """A teacher's levels with the nearest inner one moved to where the second model begins."""
    if boundary is None:
        return levels
    levels = levels.copy()
    inner = 1 + int(np.argmin(np.abs(np.log(levels[1:-1] / boundary))))
    levels[inner] = boundary * (1.0 - _JUST_BELOW)
    return levels


def switch_sentences(schedules: Mapping[int, Tensor], boundary: float | None) -> list[str]:
    """For every step count, after which step the second model takes over; none without a boundary."""
    if boundary is None:
        return []
    sentences: list[str] = []
    for steps, sigmas in sorted(schedules.items()):
        switch = steps_above(sigmas, boundary)
        if switch == 0:
            sentences.append(f"At {steps} steps the second model runs every step.")
        elif switch == steps:
            sentences.append(f"At {steps} steps the first model runs every step.")
        else:
            sentences.append(
                f"At {steps} steps switch to the second model after step {switch} of {steps}, "
                f"at sigma {float(sigmas[switch]):.4g}."
            )
    return sentences
