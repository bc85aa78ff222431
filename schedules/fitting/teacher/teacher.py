"""The fine reference trajectory that students are held against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.finite import check_finite
from ...core.noise_space import Array
from ...core.run import StartSampler, take_rows
from ...core.sigmas import finish_sigmas
from ..budget import Budget
from ..journal import Journal
from ..sketch import Sketch

# History of the teacher's quadrature. On mixtures order 4 had at most half the error at 48 levels, where order 3 is
# already far below any student's, and it starts up later.
ORDER = 3
_NODES, _GAUSS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True)
class Teacher:
    """A fine solution from one start state.

    Attributes:
        sigmas: (N,) float64 positive noise levels, decreasing.
        states, outputs: (N, B, m) float64 sketches of the state and the model output at each of them.
        end: (B, ...) final state, sigma = 0, in full.
        end_sketch: (B, m) its sketch.
        probe: (sigma, state (B, ...), output (B, ...)) of one call half way through, in full.
    """

    sigmas: Array
    states: Tensor
    outputs: Tensor
    end: Tensor
    end_sketch: Tensor
    probe: tuple[float, Tensor, Tensor]


def exponential_weights(past: Array, sigma_next: float) -> Array:
    """Weights of past outputs in one step of the exact quadrature x/sigma = ... + integral of D d(1/sigma).

    D is replaced by the polynomial in log sigma through the past nodes; the integral is taken by Gauss quadrature.

    Args:
        past: noise levels of the outputs, newest first.
        sigma_next: > 0.
    Returns:
        one weight per output, sum 1 - sigma_next / past[0].
    Source: variation of constants, as in Zhang and Chen 2022, arXiv:2204.13902, with the model output in place of eps.
    """
    h = np.log(past[0] / sigma_next)
    t = 0.5 * h * (_NODES + 1.0)  # -log sigma, from the newest node
    at = np.log(past[0] / past)
    weights = np.empty(len(past))
    for j in range(len(past)):
        others = np.delete(at, j)
        basis = np.prod([(t - o) / (at[j] - o) for o in others], axis=0) if len(others) else np.ones_like(t)
        weights[j] = 0.5 * h * np.sum(_GAUSS * basis * np.exp(t - h))
    return weights


@dataclass
class _TeacherRun:
    """One teacher as a sampler function: an exponential multistep method of order ORDER, in fp32.

    Called a second time it goes on at the level it stopped at, without history.
    """

    levels: Array
    rows: slice
    sketch: Sketch
    budget: Budget
    journal: Journal | None
    key: str
    states: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    full: dict[str, Tensor] = field(default_factory=dict)

    def __call__(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
    ) -> Tensor:
        recorded = self.journal.read_calls(self.key) if self.journal is not None else {}
        ones, x, history, first = x.new_ones([x.shape[0]]), x.float(), [], len(self.states)
        for i, sigma in enumerate(self.levels[first : first + len(sigmas) - 1], start=first):
            if i in recorded:
                denoised = recorded[i].to(x)
            else:
                denoised = self._call(model, x, sigmas[i - first] * ones, i, extra_args or {})
            self.budget.count(x.shape[0])
            self._write_down(i, x, denoised)
            if i + 1 == len(self.levels):
                return denoised
            history = [denoised, *history][:ORDER]
            past = self.levels[i::-1][: len(history)]
            x = x * float(self.levels[i + 1] / sigma)
            for weight, output in zip(exponential_weights(past, self.levels[i + 1]), history):
                x = x + float(weight) * output
        return x

    def _call(self, model: Any, x: Tensor, sigma: Tensor, index: int, extra_args: dict[str, Any]) -> Tensor:
        self.budget.before_call()
        denoised = model(x, sigma, **extra_args).float()
        check_finite(denoised, float(self.levels[index]), index)
        if self.journal is not None:
            self.journal.write_call(self.key, index, denoised)
        return denoised

    def _write_down(self, index: int, x: Tensor, denoised: Tensor) -> None:
        x, denoised = take_rows(x, self.rows), take_rows(denoised, self.rows)
        self.states.append(self.sketch(x))
        self.outputs.append(self.sketch(denoised))
        if index == len(self.levels) // 2:
            self.full |= {"probe_state": x, "probe_output": denoised}
        self.full["end"] = denoised


def run_teacher(
    run: StartSampler, levels: Array, rows: slice, sketch: Sketch, budget: Budget, journal: Journal | None = None
) -> Teacher:
    """One teacher, one model call per noise level.

    Args:
        run: of the host, or direct.
        levels: (N,) positive noise levels, decreasing.
        rows: of the batch.
        journal: where it is recorded, and read where it already is.
    """
    rounded = finish_sigmas(levels)
    levels = rounded[:-1].double().numpy()  # the weights must see the levels that the model sees
    key = journal.key("teacher", rounded, rows.start, rows.stop) if journal is not None else ""
    record = journal.read(key) if journal is not None else None
    before = budget.rows_planned
    if record is None:
        sampler = _TeacherRun(levels, rows, sketch, budget, journal, key)
        run(sampler, rounded, rows)
        record = {"states": torch.stack(sampler.states), "outputs": torch.stack(sampler.outputs), **sampler.full}
        record["rows"] = torch.tensor(budget.rows_planned - before)
        if journal is not None:
            journal.write(key, record)
            journal.drop_calls(key)
    else:
        budget.count(int(record["rows"]), recalled=True)
    probe = (float(levels[len(levels) // 2]), record["probe_state"], record["probe_output"])
    return Teacher(levels, record["states"], record["outputs"], record["end"], sketch(record["end"]), probe)


def restricted(teacher: Teacher, rows: slice) -> Teacher:
    """The same teacher on some of its rows."""
    parts = {"states": teacher.states[:, rows], "outputs": teacher.outputs[:, rows]}
    return replace(teacher, end=teacher.end[rows], end_sketch=teacher.end_sketch[rows], **parts)
