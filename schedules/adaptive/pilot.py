"""A pilot run: one fine solution of a few noises, and how fast the model output changes along it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.finite import FiniteModel
from ..core.noise_space import Array, SigmaRange
from ..core.run import StartSampler, take_rows
from ..core.sigmas import finish_sigmas
from ..core.types import Callback, Denoiser
from ..fitting.teacher_levels import teacher_sigmas
from ..samplers.loop import sample_steps
from .quadrature import MAX_NODES, step_terms
from .rows import combine, row_rms
from .step_variable import StepVariable

MAX_ORDER = 3


@dataclass(frozen=True)
class Pilot:
    """Noise levels, rates of change and end states of a pilot run.

    Attributes:
        variable: of the model.
        sigmas: (N + 1,) its noise levels, the last 0.
        times: order -> (n,) t, ascending.
        rates: order -> (n, B) root mean square over a sample of the derivative of that order of the model output by t.
        end: (B, ...) end states.
    """

    variable: StepVariable
    sigmas: Tensor
    times: dict[int, Array]
    rates: dict[int, Array]
    end: Tensor

    @property
    def calls(self) -> int:
        return len(self.sigmas) - 1


def run_pilot(run: StartSampler, rows: slice, sigma_range: SigmaRange, calls: int = 40) -> Pilot:
    """Solve the noises of `rows` with `calls` model calls each.

    Args:
        run: starts a sampler function at the batch's start state, in a host or directly (schedules/fitting/direct.py).
        calls: 8 or more; the levels are those of a fit's teacher.
    Raises:
        ValueError: names the argument. ModelError: NaN from the model.
    """
    if isinstance(calls, bool) or not isinstance(calls, int) or not 8 <= calls <= 1000:
        raise ValueError(f"calls of the pilot must be a whole number from 8 to 1000, got {calls}")
    sigmas = finish_sigmas(teacher_sigmas(calls, sigma_range))
    sampler = _PilotRun(StepVariable(sigma_range.flow), rows)
    run(sampler, sigmas, rows)
    times = {order: np.array(sampler.times[order]) for order in sampler.times}
    rates = {order: np.stack(sampler.rates[order]) for order in sampler.rates}
    return Pilot(sampler.variable, sigmas, times, rates, sampler.end)


@dataclass
class _PilotRun:
    """A sampler function that writes down derivatives of the model output as it goes."""

    variable: StepVariable
    rows: slice
    times: dict[int, list[float]] = field(default_factory=lambda: {order: [] for order in range(1, MAX_ORDER + 1)})
    rates: dict[int, list[Array]] = field(default_factory=lambda: {order: [] for order in range(1, MAX_ORDER + 1)})
    end: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(
        self,
        model: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any] | None = None,
        callback: Callback | None = None,
        **_: Any,
    ) -> Tensor:
        levels = sigmas[:-1].tolist()
        # Divided differences of orders 0, 1, ... that end in the newest output, and the t of the outputs.
        newest: list[Tensor] = []
        times: list[float] = []
        outputs: list[Tensor] = []
        before = x

        def take(x: Tensor, output: Tensor, i: int) -> Tensor:
            nonlocal newest, times, outputs, before
            outputs, times = [output, *outputs][: MAX_NODES + 1], [float(self.variable.at(levels[i])), *times][:4]
            if i:  # the step again, now interpolated
                x = self._step(before, times, outputs, levels[i - 1], levels[i])
            newest, before = self._write_down(output, newest, times), x
            return self._step(x, times, outputs, levels[i], levels[i + 1]) if i + 1 < len(levels) else output

        end = sample_steps(FiniteModel(model), x, sigmas, extra_args, callback, take=take)
        self.end = take_rows(end, self.rows).detach().cpu()
        return end

    def _step(self, x: Tensor, times: list[float], outputs: list[Tensor], sigma: float, sigma_to: float) -> Tensor:
        nodes = np.array([*times[:MAX_NODES], *[0.0] * MAX_NODES][:MAX_NODES])[:, None]
        count = np.array([min(len(times), MAX_NODES)])
        step = step_terms(self.variable, nodes, count, np.array([sigma]), np.array([sigma_to]))
        # One set of weights for all rows: they stand at the same levels.
        carry, weights = (np.repeat(values, len(x), axis=-1) for values in (step.carry, step.weights()))
        return combine(carry, x, weights, outputs[:MAX_NODES])

    def _write_down(self, output: Tensor, newest: list[Tensor], times: list[float]) -> list[Tensor]:
        """Append this output's derivatives; its divided differences."""
        differences, factorial = [take_rows(output, self.rows).detach().float()], 1
        for order in range(1, min(len(times), MAX_ORDER + 1)):
            factorial *= order
            differences.append((differences[-1] - newest[order - 1]) / (times[0] - times[order]))
            self.times[order].append(float(np.mean(times[: order + 1])))
            self.rates[order].append(factorial * row_rms(differences[-1]))
        return differences
