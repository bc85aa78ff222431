"""The fitted multistep sampler: every step has coefficients of its own, fitted to one schedule of one model or many.

Where they come from, a preset or the family learned over many models, is a source; loop.py runs the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ..core.types import Denoiser, SamplerFunction
from .loop import sample_linear
from .parameters import coefficients_of, dpmpp_2m_parameters, late_start, parameters_of
from .rules import MULTISTEP_RULES

NAME = "sigmasmith_multistep"
# The sampler that it is without its coefficients.
WITHOUT_COEFFICIENTS = "dpmpp_2m"
# A schedule that went through a host's float arithmetic or a printed list is still the one that was fitted.
_SAME_SIGMA = 1e-3


class CoefficientSource(Protocol):
    """Knows coefficients for some lists of sigmas."""

    def rows(self, sigmas: Tensor) -> Tensor | None:
        """(steps, 1 + order) rows (c_i, w_i0, w_i1, ...) for a run on sigmas (steps + 1,); None where it has none."""
        ...

    def why_not(self, sigmas: Tensor) -> str:
        """One sentence, without a full stop, on why `rows` has no answer."""
        ...


@dataclass(frozen=True)
class FirstKnown:
    """Sources in order: the first that knows a list answers for it, and the first says why none does."""

    sources: tuple[CoefficientSource, ...]

    def rows(self, sigmas: Tensor) -> Tensor | None:
        answers = (source.rows(sigmas) for source in self.sources)
        return next((rows for rows in answers if rows is not None), None)

    def why_not(self, sigmas: Tensor) -> str:
        return self.sources[0].why_not(sigmas)


@dataclass(frozen=True)
class PresetCoefficients:
    """The coefficients of a preset, by its schedules.

    Args:
        schedules: steps -> (steps + 1,) sigma list.
        coefficients: steps -> (steps, 1 + order) rows (c_i, w_i0, w_i1, ...) of denoised outputs, padded with zeros,
            for some or all of those counts.
    """

    schedules: Mapping[int, Tensor]
    coefficients: Mapping[int, Tensor]

    def rows(self, sigmas: Tensor) -> Tensor | None:
        """(steps, 1 + order) the rows for a run on these sigmas, or None.

        A run may stop early (the first of two samplers that share a schedule); one that starts late lacks the history
        that the coefficients weigh, and runs what is left of them.
        """
        run = sigmas.detach().cpu()
        for steps, rows in self.coefficients.items():
            known = self.schedules[steps].cpu()
            first = int((known - run[0]).abs().argmin())
            if _same(run, known[first : first + len(run)]):
                return _rows_from(first, rows, known)[: len(run) - 1]
        return None

    def why_not(self, sigmas: Tensor) -> str:
        """One sentence on why `rows` has no answer."""
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


def _rows_from(first: int, rows: Tensor, sigmas: Tensor) -> Tensor:
    """(steps - first, 1 + order) the rows of a run that starts with step `first` of a list (steps + 1,)."""
    if first == 0:
        return rows
    order, run = rows.shape[1] - 1, sigmas[first:]
    added = parameters_of(rows, sigmas) - dpmpp_2m_parameters(sigmas, order)
    return coefficients_of(dpmpp_2m_parameters(run, order) + late_start(added, first), run).to(rows.device)


def _same(run: Tensor, known: Tensor) -> bool:
    """Whether two sigma lists are one, within a host's arithmetic."""
    run, known = run.detach().cpu().double(), known.double()
    return len(run) == len(known) and bool(((run - known).abs() <= _SAME_SIGMA * known).all())


def sample_sigmasmith_multistep(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *given: Any,
    coefficients: CoefficientSource | None = None,
    warn: Callable[[str], None] | None = None,
    fallback: SamplerFunction | None = None,
    **options: Any,
) -> Tensor:
    """The end state of a run by the coefficients of these sigmas, or by DPM++ 2M where there are none, saying so.

    Args:
        model, x, sigmas, given, options: as for sample_linear, k-diffusion's.
        coefficients: who knows them; None where there is nobody.
        warn: told in one sentence when the sampler falls back; default: the log.
        fallback: the host's own DPM++ 2M, so that a run that falls back is its run bit for bit; default: the one here.
    Returns:
        (B, ...) state at sigmas[-1].
    """
    rows = coefficients.rows(sigmas) if coefficients is not None else None
    if rows is None:
        reason = "no preset reached the sampler" if coefficients is None else coefficients.why_not(sigmas)
        (warn or logging.getLogger("sigmasmith").warning)(f"{NAME} runs as dpmpp_2m: {reason}.")
        if fallback is not None:
            return fallback(model, x, sigmas, *given, **options)
        rows = MULTISTEP_RULES["dpmpp_2m"].coefficients(sigmas.tolist())
    return sample_linear(model, x, sigmas, *given, coefficients=rows, **options)
