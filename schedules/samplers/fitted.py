"""The fitted multistep sampler: every step has coefficients of its own, found for one model and one schedule.

Step i, from sigma_i to sigma_{i+1}, is

    x_{i+1} = c_i x_i + sum_j w_ij D_{i-j}

with D the model outputs `denoised`, newest first. A row of coefficients is (c_i, w_i0, w_i1, ...), padded with zeros.
Every linear multistep sampler of the hosts is such a table; the fitted one is held in a preset beside its sigmas.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NAME = "sigmasmith_multistep"
# A schedule that went through a host's float arithmetic or a printed list is still the one that was fitted.
_SAME_SIGMA = 1e-3


@dataclass(frozen=True)
class FittedSolver:
    """Coefficients of some schedules.

    Args:
        schedules: steps -> (steps + 1,) sigma list.
        coefficients: steps -> (steps, 1 + order) table, for some or all of those counts.
    """

    schedules: Mapping[int, Tensor]
    coefficients: Mapping[int, Tensor]

    def table(self, sigmas: Tensor) -> Tensor | None:
        """The table for a run on these sigmas, or None.

        A run may stop early (the first of two samplers that share a schedule); one that starts late lacks the history
        that the coefficients weigh.
        """
        run = sigmas.detach().cpu()
        for steps, table in self.coefficients.items():
            if _same(run, self.schedules[steps][: len(run)]):
                return table[: len(run) - 1]
        return None

    def why_not(self, sigmas: Tensor) -> str:
        """One sentence on why `table` has no answer."""
        if not self.coefficients:
            return "the preset holds no coefficients"
        counts = ", ".join(map(str, sorted(self.coefficients)))
        steps = len(sigmas) - 1
        if steps not in self.coefficients and steps in self.schedules and _same(sigmas, self.schedules[steps]):
            return f"at {steps} steps the fit found no coefficients that held; the preset has them for {counts} steps"
        return (
            f"the coefficients belong to the preset's own schedules of {counts} steps at denoise 1, and these "
            f"{len(sigmas) - 1} steps follow another list of sigmas"
        )


def _same(run: Tensor, known: Tensor) -> bool:
    """Whether two sigma lists are one, within a host's arithmetic."""
    run, known = run.detach().cpu().double(), known.double()
    return len(run) == len(known) and bool(((run - known).abs() <= _SAME_SIGMA * known).all())


@torch.no_grad()
def sample_sigmasmith_multistep(
    model: Callable[..., Tensor],
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    solver: FittedSolver | None = None,
    warn: Callable[[str], None] | None = None,
    fallback: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Run the coefficients that were fitted for these sigmas, or DPM++ 2M where there are none, saying so.

    Args:
        model: denoiser, (x (B, ...), sigma (B,), **extra_args) -> denoised.
        x: (B, ...) state at sigmas[0].
        sigmas: (steps + 1,) sigma list.
        disable: ignored, there is no progress bar; part of k-diffusion's signature.
        solver: the preset's coefficients; None where there is no preset.
        warn: told in one sentence when the sampler falls back; default: the log.
        fallback: the host's own DPM++ 2M, k-diffusion's signature, so that a run that falls back is its run bit for
            bit; default: the one here.
    Returns:
        (B, ...) state at sigmas[-1].
    """
    table = solver.table(sigmas) if solver is not None else None
    if table is None:
        reason = "no preset reached the sampler" if solver is None else solver.why_not(sigmas)
        (warn or logging.getLogger("sigmasmith").warning)(f"{NAME} runs as dpmpp_2m: {reason}.")
        if fallback is not None:
            return fallback(model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable)
    return run_table(model, x, sigmas, extra_args, callback, coefficients=table)


@torch.no_grad()
def run_table(
    model: Callable[..., Tensor],
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
    *,
    coefficients: Tensor | None,
) -> Tensor:
    """Run a table of coefficients, (steps, 1 + order), or without one DPM++ 2M; otherwise as above."""
    extra_args = extra_args or {}
    if coefficients is None:
        from .rules import MULTISTEP_RULES, sample_multistep

        return sample_multistep(model, x, sigmas, extra_args, callback, rule=MULTISTEP_RULES["dpmpp_2m"])
    mask = extra_args.get("denoise_mask")
    history: list[Tensor] = []
    ones, last = x.new_ones([x.shape[0]]), len(sigmas) - 2
    for i, row in enumerate(coefficients.tolist()):
        denoised = model(x, sigmas[i] * ones, **extra_args)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        history = [denoised, *history][: len(row) - 1]
        x = step(x, history, row)
        if mask is not None and i == last and float(sigmas[-1]) == 0.0:
            # Outside the mask the model output is the picture itself, which coefficients must not touch.
            x = denoised + mask * (x - denoised)
    return x


def step(x: Tensor, history: Sequence[Tensor], row: Sequence[float]) -> Tensor:
    """One step: the state and the model outputs (newest first) weighted with one row of a table."""
    x = row[0] * x
    for weight, denoised in zip(row[1:], history):
        if weight != 0.0:
            x = x + weight * denoised
    return x
