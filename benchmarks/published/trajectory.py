"""Recorded runs: what several of the published methods build on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ...schedules.core.noise_space import Array
from ...schedules.core.sigmas import finish_sigmas
from ...schedules.samplers.by_name import own_sampler


class TooManyCallsError(Exception):
    """A denoiser was asked more often than a run may cost."""


@dataclass
class CountedDenoiser:
    """A denoiser that counts the rows it is given.

    Args:
        model: k-diffusion's denoiser.
        extra_args: of every call.
        most: rows that it answers for; one more raises TooManyCallsError.
    """

    model: Callable[..., Tensor]
    extra_args: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    most: float = math.inf

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.rows += len(x)
        if self.rows > self.most:
            raise TooManyCallsError
        return self.model(x, sigma, **self.extra_args)


@dataclass(frozen=True)
class Trajectory:
    """One run of every row.

    Attributes:
        sigmas: (N + 1,) float64 node levels, decreasing.
        states: (N + 1, B, n) float64 states at them.
        derivatives: (N, B, n) float64, (x - denoised) / sigma at all but the last.
    """

    sigmas: Array
    states: Array
    derivatives: Array


def record(model: CountedDenoiser, x: Tensor, sigmas: Tensor, sampler: str) -> Trajectory:
    """The trajectory of a host's sampler, by name, from x (B, ...) at sigmas[0]; sigmas (N + 1,) may stop above 0."""
    states: list[Array] = []
    outputs: list[Array] = []

    def write_down(step: dict[str, Any]) -> None:
        states.append(_flat(step["x"]))
        outputs.append(_flat(step["denoised"]))

    end = own_sampler(sampler)(model, x, sigmas, callback=write_down)
    levels, visited = sigmas.double().numpy(), np.stack(states)
    derivatives = (visited - np.stack(outputs)) / levels[:-1, None, None]
    return Trajectory(levels, np.append(visited, _flat(end)[None], axis=0), derivatives)


def ending_in_zero(levels: Array) -> Tensor:
    """The sigma list of levels that stop at the model's smallest sigma: hosts put 0 in its place."""
    return finish_sigmas(levels[:-1])


def _flat(values: Tensor) -> Array:
    return values.detach().cpu().double().flatten(1).numpy()
