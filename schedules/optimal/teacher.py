"""The fine reference trajectory that students are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..noise_space import Array, SigmaRange
from ..sigmas import finish_sigmas
from .budget import Budget
from .rollouts import RunFunction, check_finite, take_rows
from .sketch import Sketch

# History of the teacher's quadrature. Order 4 gained nothing over 3 on trained networks and starts up later.
ORDER = 3


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


def teacher_sigmas(nodes: int, sigma_range: SigmaRange) -> Array:
    """Noise levels for a teacher: dense where any sane student is dense.

    The node density is the mean of three: uniform in log sigma (detail), in the noise fraction sigma / (1 + sigma)
    (structure; on flow models sigma itself) and in log-SNR (flow: log-odds, cut at 0.99). Of 16 such blends it had the
    smallest or nearly the smallest teacher error on mixtures, VE and flow, with and without guidance.

    Returns:
        (nodes,) float64, decreasing, from sigma_max to sigma_min.
    """
    fine = np.geomspace(sigma_range.sigma_max, sigma_range.sigma_min, 4096)
    fraction = fine if sigma_range.flow else fine / (1.0 + fine)
    odds = fine / np.maximum(1.0 - fine, 0.01) if sigma_range.flow else fine
    coordinates = (np.log(fine), fraction, np.log(odds))
    position = sum((c[0] - c) / (c[0] - c[-1]) for c in coordinates) / len(coordinates)
    sigmas = np.exp(np.interp(np.linspace(0.0, 1.0, nodes), position, np.log(fine)))
    sigmas[0], sigmas[-1] = sigma_range.sigma_max, sigma_range.sigma_min
    return sigmas


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
    nodes, gauss = np.polynomial.legendre.leggauss(8)
    t = 0.5 * h * (nodes + 1.0)  # -log sigma, from the newest node
    at = np.log(past[0] / past)
    weights = np.empty(len(past))
    for j in range(len(past)):
        others = np.delete(at, j)
        basis = np.prod([(t - o) / (at[j] - o) for o in others], axis=0) if len(others) else np.ones_like(t)
        weights[j] = 0.5 * h * np.sum(gauss * basis * np.exp(t - h))
    return weights


@dataclass
class _Trace:
    """What the teacher run writes down as it goes."""

    sketch: Sketch
    states: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    end: Tensor | None = None
    probe: tuple[float, Tensor, Tensor] | None = None


def _teacher_sampler(trace: _Trace, budget: Budget, levels: Array, rows: slice) -> Callable[..., Tensor]:
    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any) -> Tensor:
        ones, x, history = x.new_ones([x.shape[0]]), x.float(), []
        for i, sigma in enumerate(levels):
            budget.before_call()
            denoised = model(x, sigmas[i] * ones, **(extra_args or {})).float()
            check_finite(denoised, float(sigma), i)
            budget.count(x.shape[0])
            trace.states.append(trace.sketch(take_rows(x, rows)))
            trace.outputs.append(trace.sketch(take_rows(denoised, rows)))
            if i == len(levels) // 2:
                trace.probe = (float(sigma), x, denoised)
            if i + 1 == len(levels):
                trace.end = take_rows(denoised, rows)
                return denoised
            history = [denoised, *history][:ORDER]
            past = levels[i::-1][: len(history)]
            x = x * float(levels[i + 1] / sigma)
            for weight, output in zip(exponential_weights(past, levels[i + 1]), history):
                x = x + float(weight) * output
        raise AssertionError("a teacher has at least one noise level")

    return sample


def run_teacher(run: RunFunction, levels: Array, rows: slice, sketch: Sketch, budget: Budget) -> Teacher:
    """One teacher: an exponential multistep method of order 3, in fp32, one model call per noise level."""
    rounded = finish_sigmas(levels)
    levels = rounded[:-1].double().numpy()  # the weights must see the levels that the model sees
    trace = _Trace(sketch)
    run(_teacher_sampler(trace, budget, levels, rows), rounded, rows)
    assert trace.end is not None and trace.probe is not None
    return Teacher(
        levels, torch.stack(trace.states), torch.stack(trace.outputs), trace.end, sketch(trace.end), trace.probe
    )


def restricted(teacher: Teacher, rows: slice) -> Teacher:
    """The same teacher on some of its rows."""
    return Teacher(
        teacher.sigmas,
        teacher.states[:, rows],
        teacher.outputs[:, rows],
        teacher.end[rows],
        teacher.end_sketch[rows],
        teacher.probe,
    )
