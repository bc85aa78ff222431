"""The adaptive sampler: it chooses its noise levels while it runs, by a budget of model calls or a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.noise_space import Array, flow_top
from ..core.sigmas import check_sigmas
from ..core.types import Callback, Denoiser
from .controller import Gains
from .expected import StepDensity
from .report import AdaptiveReport
from .run import AdaptiveRun, Stretch
from .settings import MAX_CALLS, MAX_STEP, MIN_STEP, Settings
from .step_variable import StepVariable

# With few calls the run jumps to 0 from above sigma_min, half a step before it; with more it goes all the way.
_FEW_CALLS, _UNFINISHED = 12, 0.5


@torch.no_grad()
def sample_sigmasmith_adaptive(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    *,
    calls: int | None = 20,
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "predictive",
    min_step: float = MIN_STEP,
    max_step: float = MAX_STEP,
    flow: bool = False,
    sigma_min: float | None = None,
    reset_at: Sequence[float] = (),
    together: bool = False,
    gains: Gains | None = None,
    report: AdaptiveReport | None = None,
) -> Tensor:
    """Solve the sampling ODE with steps chosen on the way; no noise is added.

    Every row has steps of its own, so that an image is the same alone and in any batch.

    Args:
        model: denoiser, (x (B, ...), sigma (B,), **extra_args) -> denoised; rows may have different sigmas.
        x: (B, ...) state at sigmas[0].
        sigmas: of the host; only the first, the last and, before a last 0, the smallest one count.
        callback: called after every accepted step with x, i, sigma, sigma_hat and denoised; i is the progress in log
            sigma in steps of `sigmas`.
        disable: ignored, there is no progress bar; part of the signature.
        calls: model calls of each row at most, >= 2, all of them used where no tolerance is given. None: one per step
            of `sigmas`, or with a tolerance as many as it takes.
        rtol, atol: error that one step may have, > 0, relative to the root mean square of the model output and
            absolute; latents of hosts have a standard deviation of about 1, so 0.001 is fine and 0.1 coarse.
        method: "predictive" (a multistep of third order whose step is known beforehand), or "embedded_2" and
            "embedded_3" (Euler with Heun, and second with third order, steps taken back where the error is too large).
        min_step, max_step: of a step in t, nearly log sigma; the budget comes first.
        flow: True for CONST / rectified-flow models.
        sigma_min: the smallest level to call the model at before a last 0; default: the smallest of `sigmas`.
        reset_at: noise levels at which the conditioning changes: all rows stop there and begin a new history.
        together: all rows take the steps that the worst of them needs, for models that read one row's sigma.
        gains: of the PID controller of the embedded methods.
        report: filled with calls, steps and sigmas.
    Returns:
        (B, ...) state at sigmas[-1]; for a last 0 it is the model output at the last level, as in every host.
    Raises:
        ValueError: names the argument. ModelError (a ValueError): NaN from the model, with sigma and sample.
    Source: exponential multistep as in Lu et al. 2022, arXiv:2211.01095, corrected without calls as in Zhao et al.
        2023, arXiv:2302.04867; controller: Soederlind 2003, ACM TOMS 29.
    Differs: the step sizes; third order; steps per row, in the variable of step_variable.py.
    """
    if calls is not None and not isinstance(calls, bool) and isinstance(calls, int) and calls < 2:
        raise ValueError(f"calls must be a whole number from 2 to {MAX_CALLS}, got {calls}")
    if len(sigmas) < 2 or x.shape[0] == 0:
        return x
    levels = check_sigmas(sigmas, terminal_zero=float(sigmas[-1]) == 0.0).double().tolist()
    if calls is None and rtol is None and atol is None:
        calls = len(levels) - 1
    settings = Settings(calls, rtol, atol, method, min_step, max_step, flow, together, gains or Gains())
    if flow:
        levels[0] = flow_top(levels[0])
    if flow and levels[0] > 1.0:
        raise ValueError(f"sigmas of a flow model are at most 1, got {levels[0]:.6g}")
    to_zero = levels[-1] == 0.0
    end = levels[-1] if not to_zero else last_level(levels, sigma_min)
    changes = sorted({float(np.float32(s)) for s in reset_at if end < float(np.float32(s)) < levels[0]}, reverse=True)
    report = AdaptiveReport() if report is None else report
    report.begin(method, x.shape[0], levels[0])
    tell = _Progress(callback, levels[0], end, len(levels) - 1)
    run = AdaptiveRun(model, x, extra_args or {}, settings, report, tell)
    result = run(plan_stretches([levels[0], *changes, end], to_zero, settings))
    if to_zero:
        for visited in report.sigmas:
            visited.append(0.0)
    tell.finish(x, result)
    return result


def last_level(levels: Sequence[float], sigma_min: float | None) -> float:
    """The smallest level of a run that ends in 0: the model's, or the list's."""
    listed = levels[-2] if len(levels) > 2 else levels[0] * 1e-3
    if sigma_min is None:
        return listed
    if not (math.isfinite(sigma_min) and sigma_min > 0.0):
        raise ValueError(f"sigma_min must be above 0, got {sigma_min}")
    # A run that begins below the model's own smallest level goes down as far again.
    return float(np.float32(sigma_min)) if sigma_min < levels[0] else 0.5 * levels[0]


def plan_stretches(borders: Sequence[float], to_zero: bool, settings: Settings) -> list[Stretch]:
    """The stretches between changes of the conditioning, the budget shared out by the expected steps.

    The shares do not depend on the rows: rows that had to wait for others would waste the budget. A budget of fewer
    calls than stretches crosses changes without stopping there.
    """
    borders = list(borders)
    if settings.calls is not None and len(borders) - 1 > settings.calls:
        borders = [borders[0], *borders[1:-1][: settings.calls - 1], borders[-1]]
    variable = StepVariable(settings.flow)
    ends = list(pairwise(borders))
    calls: list[int | None] = [None] * len(ends)
    unfinished = 0.0
    if settings.calls is not None:
        sizes = [_expected_steps(variable, high, low) for high, low in ends]
        calls = [*share_out(settings.calls, sizes)]
        if not settings.has_tolerance and settings.calls < _FEW_CALLS:
            unfinished = _UNFINISHED
    stretches = [Stretch(high, low, count, False) for (high, low), count in zip(ends, calls)]
    if to_zero:
        stretches[-1] = replace(stretches[-1], to_zero=True, unfinished=unfinished)
    return stretches


def share_out(calls: int, sizes: Sequence[float]) -> list[int]:
    """Whole numbers >= 1 with the sum `calls`, as near as can be to the proportions of `sizes`."""
    given = [1] * len(sizes)
    for _ in range(calls - len(sizes)):
        neediest = max(range(len(sizes)), key=lambda i: sizes[i] / given[i])
        given[neediest] += 1
    return given


def _expected_steps(variable: StepVariable, high: float, low: float) -> float:
    start, end = float(variable.at(high)), float(variable.at(low))
    here = np.array([start])
    return float(StepDensity(variable, start, end).ahead(here, np.zeros(1)).total[0])


class _Progress:
    """Tells the host how far the slowest row is, in steps of the list that the host knows."""

    def __init__(self, callback: Callback | None, first: float, last: float, total: int) -> None:
        self.callback = callback
        self.first, self.last, self.total = first, last, total
        self.told = -1

    def __call__(self, x: Tensor, sigma: Array, denoised: Tensor) -> None:
        slowest = float(sigma.max())
        done = math.log(self.first / slowest) / math.log(self.first / self.last)
        self._tell(min(int(done * self.total), self.total - 1), x, slowest, denoised)

    def finish(self, x: Tensor, denoised: Tensor) -> None:
        """A full bar, where the last step did not fill it."""
        if self.told < self.total - 1:
            self._tell(self.total - 1, x, self.last, denoised)

    def _tell(self, i: int, x: Tensor, sigma: float, denoised: Tensor) -> None:
        self.told = max(i, self.told)
        if self.callback is not None:
            level = torch.as_tensor(sigma, dtype=torch.float32)
            self.callback({"x": x, "i": self.told, "sigma": level, "sigma_hat": level, "denoised": denoised})
