"""Short runs of the real model with every call written down, or answered from an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...core.finite import check_finite
from ...core.run import Run, take_rows
from ...core.types import SamplerFunction
from ..budget import Budget
from .faults import checked_shape
from .random_state import random_state
from .samplers import SamplerFor, apart


@dataclass
class Recorded:
    """A run.

    Attributes:
        outputs: (rows, ...) float32 CPU, of every model call, real or remembered.
        ends: (rows, ...) end state, one for each of two models in turn.
    """

    outputs: list[Tensor] = field(default_factory=list)
    ends: list[Tensor] = field(default_factory=list)

    def rows(self, rows: slice) -> Recorded:
        """Some of its rows."""
        return Recorded([value[rows] for value in self.outputs], [value[rows] for value in self.ends])

    def apart(self, other: Recorded) -> float:
        """The largest difference of an output or an end state, as a share of its size."""
        if len(self.outputs) != len(other.outputs):
            return float("inf")
        pairs = [*zip(self.outputs, other.outputs), *zip(self.ends, other.ends)]
        return max((apart(one, two) for one, two in pairs), default=0.0)


@dataclass
class Runner:
    """Starts short runs of one sampler.

    Args:
        run: of the host, or direct.
        sampler_for: rows -> the sampler function.
        sigmas: (steps + 1,) few of them.
        budget: counts every call that reaches the model.
    Attributes:
        cancelled: what its progress function raised, if it did.
    """

    run: Run
    sampler_for: SamplerFor
    sigmas: Tensor
    budget: Budget
    cancelled: BaseException | None = None

    def __call__(self, rows: slice, state: int = 1, remembered: Mapping[int, Tensor] | None = None) -> Recorded:
        """One run of these rows.

        Args:
            state: of the global random numbers.
            remembered: number of a call -> the output that answers it in place of the model.
        """
        recorded = Recorded()
        sampler = self.sampler_for(rows)

        def sample(model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
            watched = _Watched(model, rows, recorded, remembered or {}, self._count)
            end = sampler(watched, x, sigmas, **kwargs)
            recorded.ends.append(take_rows(end.detach(), rows).float().cpu())
            return end

        with random_state(state), torch.no_grad():
            self.run(sample, self.sigmas.clone(), rows)
        return recorded

    def _count(self, rows: int) -> None:
        try:
            self.budget.count(rows)
        except BaseException as error:
            self.cancelled = error
            raise


class _Watched:
    """The host's model object; attributes pass through."""

    def __init__(
        self,
        model: Any,
        rows: slice,
        recorded: Recorded,
        remembered: Mapping[int, Tensor],
        count: Callable[[int], None],
    ) -> None:
        self._model, self._rows, self._recorded = model, rows, recorded
        self._remembered, self._count = remembered, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        index = len(self._recorded.outputs)
        if index in self._remembered:
            self._recorded.outputs.append(self._remembered[index])
            return self._remembered[index].to(x)
        denoised = self._model(x, sigma, **extra_args)
        self._count(x.shape[0])
        checked_shape(denoised, x)
        check_finite(denoised, float(sigma.flatten()[0]), index, self._rows.start)
        self._recorded.outputs.append(take_rows(denoised.detach(), self._rows).float().cpu().clone())
        return denoised


def starter(sampler: SamplerFunction) -> Callable[[slice], SamplerFunction]:
    """The same sampler for any rows."""
    return lambda _: sampler
