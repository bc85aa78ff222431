"""One adaptive run: rows at noise levels of their own, whole batches to the model, stretch by stretch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.finite import ModelError
from ..core.noise_space import Array
from ..core.types import Denoiser
from .expected import StepDensity, state_weight
from .planners import StepPlace, planner_for
from .quadrature import StepTerms, step_terms
from .report import AdaptiveReport
from .rows import Counts, Mask, RowStates, choose, combine, row_rms
from .settings import Settings
from .step_variable import StepVariable

# The term of third order is extrapolated at most as far as this share of the term of second order: where the outputs
# change too fast for the history, a full one overshoots. Of 0.5, 0.7, 1, 1.4 and 2 this had the smallest error.
_THIRD_ORDER_LIMIT = 0.7


@dataclass(frozen=True)
class Stretch:
    """A part of the run under one conditioning.

    Args:
        start, end: noise levels, end > 0.
        calls: model calls of each row at most; None without a budget.
        to_zero: whether the run's last output is taken at `end`; otherwise the state is what is wanted there.
        unfinished: see StepPlace.
    """

    start: float
    end: float
    calls: int | None
    to_zero: bool
    unfinished: float = 0.0


class AdaptiveRun:
    """The rows of one run. Rows that wait for others are passed to the model again as they last were.

    A model is always given the whole batch, for its conditionings, masks and control images belong to rows; what it
    says of a waiting row is dropped. Between two changes of the conditioning all rows have the same one, so that what
    reads only the first row's noise level reads what is right for all.
    """

    def __init__(
        self,
        model: Denoiser,
        x: Tensor,
        extra_args: dict[str, Any],
        settings: Settings,
        report: AdaptiveReport,
        tell: Callable[[Tensor, Array, Tensor], None],
    ) -> None:
        self.model = model
        self.extra_args = extra_args
        self.settings = settings
        self.report = report
        self.tell = tell
        self.variable = StepVariable(settings.flow)
        self.rows = RowStates(x, np.zeros(x.shape[0]))
        self.planner = planner_for(settings, x.shape[0])
        self.last_x, self.last_sigma = x, self.rows.sigma

    def __call__(self, stretches: Sequence[Stretch]) -> Tensor:
        for stretch in stretches:
            self._cover(stretch)
        return self.rows.outputs[0] if stretches[-1].to_zero else self.rows.x

    def _cover(self, stretch: Stretch) -> None:
        """Take the rows from the start of a stretch to its end."""
        rows, everyone = self.rows, np.ones(len(self.rows.sigma), dtype=bool)
        rows.forget()
        self.planner.forget()
        variable = self.variable
        density = StepDensity(variable, float(variable.at(stretch.start)), float(variable.at(stretch.end)))
        rows.sigma = np.full(len(everyone), stretch.start)
        start = variable.at(rows.sigma)
        output, measured = self._call(rows.x, rows.sigma, everyone, start)
        rows.push(everyone, rows.x, rows.sigma, start, output, measured)
        self._tell()
        used, moving = everyone.astype(np.float64), everyone.copy()
        while True:
            left = np.full(len(used), math.inf) if stretch.calls is None else stretch.calls - used
            if stretch.to_zero:
                moving &= left > 0
            if not moving.any():
                return
            place = self._place(density, stretch, left if stretch.to_zero else left + 1.0)
            t, tolerance = self.planner.next_t(place)
            sigma, t = self._levels(t, place, stretch, moving)
            lands = moving & (sigma <= stretch.end)
            predicted = self._predict(sigma)
            # Where only the state is wanted at the end, the step that lands there needs no call, and gets no check.
            landed = lands & (not stretch.to_zero)
            self._note(moving, tolerance)
            self._land(landed, predicted, sigma)
            moving &= ~landed
            if moving.any():
                kept = self._try(moving, predicted, sigma, t, place, left)
                used += moving
                moving &= ~(kept & lands)

    def _place(self, density: StepDensity, stretch: Stretch, steps_left: Array) -> StepPlace:
        rows, settings = self.rows, self.settings
        tolerance = np.zeros(len(rows.sigma))
        if settings.has_tolerance:
            tolerance = settings.tolerance(rows.size) + tolerance
            if settings.together:
                tolerance[:] = tolerance.min()
        return StepPlace(density, rows, self.variable.at(rows.sigma), steps_left, tolerance, stretch.unfinished)

    def _levels(self, t: Array, place: StepPlace, stretch: Stretch, moving: Mask) -> tuple[Array, Array]:
        """Noise levels as the model is given them, below the present ones, and their t; any for waiting rows."""
        sigma = np.where(t >= place.density.end - 1e-9, stretch.end, self.variable.sigma(t))
        below = np.nextafter(self.rows.sigma.astype(np.float32), np.float32(0.0)).astype(np.float64)
        sigma = np.where(moving, np.maximum(np.minimum(sigma, below), stretch.end), 0.5 * self.rows.sigma)
        return sigma, self.variable.at(sigma)

    def _terms(self, times: Array, counts: Counts, sigma: Array) -> StepTerms:
        return step_terms(self.variable, times, counts, self.rows.sigma, sigma)

    def _predict(self, sigma: Array) -> Tensor:
        """States at `sigma`, extrapolated from the known outputs."""
        rows = self.rows
        step = self._terms(rows.times, np.minimum(rows.counts, self.planner.orders[0]), sigma)
        second, third = np.abs(step.terms[1]) * rows.rate, np.abs(step.terms[2]) * rows.bend
        step = step.limited(np.minimum(1.0, _THIRD_ORDER_LIMIT * second / np.maximum(third, 1e-30)))
        return combine(step.carry, rows.x, step.weights(), rows.outputs)

    def _correct(self, output: Tensor, t: Array, sigma: Array) -> Tensor:
        """The same states with the output at their end known: interpolated instead of extrapolated."""
        rows, order = self.rows, self.planner.orders[1]
        times = np.concatenate([t[None], rows.times[:-1]])
        step = self._terms(times, np.minimum(rows.counts + 1, order), sigma)
        return combine(step.carry, rows.x, step.weights(), [output, *rows.outputs][:order])

    def _try(self, trial: Mask, predicted: Tensor, sigma: Array, t: Array, place: StepPlace, left: Array) -> Mask:
        """Evaluate predicted states, keep what the planner keeps; the rows that were kept."""
        rows, report = self.rows, self.report
        x = choose(trial, predicted, self.last_x)
        output, measured = self._call(x, np.where(trial, sigma, self.last_sigma), trial, t)
        corrected = self._correct(output, t, sigma)
        error = np.zeros(len(sigma))
        if self.settings.method != "predictive":
            error = row_rms(corrected - predicted) * state_weight(self.variable, t)
        kept = self.planner.keep(place, t, error, trial, left <= 1)
        rows.push(kept, corrected, sigma, t, output, measured)
        for row in np.flatnonzero(trial).tolist():
            if kept[row]:
                report.accepted[row] += 1
                report.sigmas[row].append(float(sigma[row]))
            else:
                report.rejected[row] += 1
        if kept.any():
            self._tell()
        return kept

    def _land(self, landed: Mask, predicted: Tensor, sigma: Array) -> None:
        """Take rows to the end of a stretch without a call."""
        if landed.any():
            self.rows.x = choose(landed, predicted, self.rows.x)
            self.rows.sigma = np.where(landed, sigma, self.rows.sigma)
            for row in np.flatnonzero(landed).tolist():
                self.report.accepted[row] += 1
                self.report.sigmas[row].append(float(sigma[row]))

    def _call(self, x: Tensor, sigma: Array, active: Mask, t: Array) -> tuple[Tensor, tuple[Array, Array, Array]]:
        """Model outputs for the whole batch, and what they measure; of rows that are not active, anything."""
        self.last_x, self.last_sigma = x, sigma
        levels = torch.as_tensor(sigma.astype(np.float32), device=x.device).to(x.dtype)
        output = self.model(x, levels, **self.extra_args)
        self.report.calls += 1
        measured = self.rows.measure(output, t)
        bad = np.flatnonzero(active & ~np.isfinite(measured[0]))
        if len(bad):
            raise ModelError(
                f"model: it returned NaN or infinity at sigma {sigma[bad[0]]:.6g} (call {self.report.calls}) for "
                f"sample {bad[0]}"
            )
        return output, measured

    def _note(self, moving: Mask, tolerance: Array) -> None:
        for row in np.flatnonzero(moving).tolist():
            self.report.note_tolerance(row, float(tolerance[row]))

    def _tell(self) -> None:
        self.tell(self.last_x, self.rows.sigma, self.rows.outputs[0])
