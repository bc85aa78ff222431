"""Few-step runs of many nearby schedules and coefficients at once: what a Jacobian needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...schedules.core.noise_space import Array
from .subjects import Rows


@dataclass(frozen=True)
class RecordedRun:
    """One run: its states (steps + 1), its model outputs (steps), each (rows, ...)."""

    states: list[Tensor]
    outputs: list[Tensor]


@torch.no_grad()
def run(rows: Rows, sigmas: Array, coefficients: Array) -> RecordedRun:
    """The run of a sigma list (steps + 1,) with coefficients (steps, 1 + order)."""
    states, outputs = [rows.start], []
    for i, row in enumerate(coefficients.tolist()):
        outputs.append(rows.denoised(states[-1][None], sigmas[i : i + 1])[0])
        x = row[0] * states[-1]
        for weight, output in zip(row[1:], reversed(outputs)):
            if weight:
                x = x + weight * output
        states.append(x)
    return RecordedRun(states, outputs)


@torch.no_grad()
def ends_of(base: RecordedRun, rows: Rows, sigmas: Array, coefficients: Array, first: NDArray[np.int64]) -> Tensor:
    """(runs, rows, ...) ends of runs that part from `base`.

    Args:
        sigmas: (runs, steps + 1); coefficients: (runs, steps, 1 + order).
        first: (runs,) step of each in which it first differs from `base`; those before cost nothing.
    """
    order = np.argsort(first, kind="stable")
    sigmas, coefficients, first = sigmas[order], coefficients[order], first[order]
    steps, outputs_weighed = coefficients.shape[1], coefficients.shape[2] - 1
    x = base.states[0][None][:0]
    history: list[Tensor] = [x] * outputs_weighed  # newest first
    for i in range(steps):
        if len(x):
            history = [rows.denoised(x, sigmas[: len(x), i]), *history][:outputs_weighed]
        joining = int((first <= i).sum()) - len(x)
        if joining:
            now = [base.outputs[i - j] if i >= j else torch.zeros_like(base.states[i]) for j in range(outputs_weighed)]
            history = [torch.cat([old[: len(x)], _many(new, joining)]) for old, new in zip(history, now)]
            x = torch.cat([x, _many(base.states[i], joining)])
        weights = torch.as_tensor(coefficients[: len(x), i], dtype=torch.float32)
        weights = weights.view(*weights.shape, *[1] * (x.ndim - 1))
        x = sum((weights[:, 1 + j] * history[j] for j in range(min(outputs_weighed, i + 1))), weights[:, 0] * x)
    ends = torch.empty_like(x)
    ends[torch.as_tensor(order)] = x
    return ends


def _many(state: Tensor, runs: int) -> Tensor:
    return state[None].expand(runs, *state.shape)
