"""How long the next step is, and whether it is kept: the predictive multistep and the embedded pairs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..core.noise_space import Array
from .controller import PIDController
from .expected import ORDER, Ahead, StepDensity
from .rows import Mask, RowStates
from .settings import Settings

# The first step has no history: a shorter one costs little where the model is as expected and saves the run where it
# is not. Of 0.5, 0.6, 0.7 and 1 this was the best compromise between easy and hard models.
FIRST_STEP = 0.6
# A budget is shared out, not an error promised: only steps far above their share are taken back, and no safety factor
# makes them shorter than it, for what is saved early is missing late.
_BUDGET_PATIENCE = 4.0
# Keeps the tolerance of a row that has arrived above 0.
_LEAST = 1e-30
# Of the calls that are left, this share is planned; the others are for steps taken back.
_PLANNED = 0.9


@dataclass
class StepPlace:
    """Where rows stand in a stretch of the run.

    Attributes:
        density: of the stretch.
        rows: their states.
        t: (B,).
        steps_left: (B,) steps that the budget still allows, inf without one.
        tolerance: (B,) allowed error of a step, 0 where only the budget decides.
        unfinished: steps that the stretch may leave out at its end, where it ends in a jump to 0.
    """

    density: StepDensity
    rows: RowStates
    t: Array
    steps_left: Array
    tolerance: Array
    unfinished: float


class PredictivePlanner:
    """The step is solved from the difference of the newest two outputs, which is what separates 2M from 1M.

    It is known before the step is taken, so no step is ever taken back.
    """

    orders = (3, 3)  # of predictor and corrector

    def __init__(self, settings: Settings, rows: int) -> None:
        self.settings = settings

    def forget(self) -> None:
        """Nothing is remembered but the history of outputs."""

    def next_t(self, place: StepPlace) -> tuple[Array, Array]:
        """(B,) t of the next outputs, and the tolerance that these steps come to."""
        rows = place.rows
        known = rows.counts > 1
        middle = place.t - np.where(known, 0.5 * (rows.times[0] - rows.times[1]), 0.0)
        surprise = np.where(known, place.density.surprise(rows.rate, middle), 0.0)
        if self.settings.together:
            surprise[:] = surprise.max()
        ahead = place.density.ahead(place.t, surprise)
        first = np.where(rows.counts == 1, FIRST_STEP, 1.0)
        units = share_of_budget(ahead, place, first)
        wanted = even_last_steps(ahead.total, first * place.tolerance ** (1.0 / ORDER))
        units = np.maximum(units, wanted)
        return within_limits(ahead.after(units), place, self.settings), (units / first) ** ORDER

    def keep(self, place: StepPlace, t: Array, error: Array, trial: Mask, last: Mask) -> Mask:
        """(B,) which steps stay: all of them."""
        return trial


@dataclass
class EmbeddedPlanner:
    """A predictor of order p and its corrector of order p + 1; their difference is the error, a PID controls the step.

    The call at the predicted state serves both: it corrects the step and, if the step is kept, begins the next one.
    If not, the outputs from before the step are still there. So no state is evaluated twice. Sizes are counted in
    steps of the expected density, in which they are nearly even.
    """

    settings: Settings
    rows: int
    order: int

    def __post_init__(self) -> None:
        self.orders = (self.order - 1, self.order)
        gains = self.settings.gains
        self.controller = PIDController(self.rows, gains if self.settings.has_tolerance else replace(gains, safety=1.0))
        self.forget()

    size: Array = field(init=False)
    hardness: Array = field(init=False)

    def forget(self) -> None:
        """Start anew."""
        self.controller.forget()
        self.size = np.zeros(self.rows)
        # log of the error**(1/k) per unit of expected density, a running mean; nan before the first measurement.
        self.hardness = np.full(self.rows, np.nan)

    def next_t(self, place: StepPlace) -> tuple[Array, Array]:
        """(B,) t of the next trial states, and the tolerance for them."""
        ahead = self._ahead(place)
        first = np.where(place.rows.counts == 1, FIRST_STEP, 1.0)
        share = share_of_budget(ahead, place, first)
        wanted = first * place.tolerance ** (1.0 / ORDER)
        start = np.where(place.tolerance > 0.0, wanted, share)
        self.size = np.where(self.size > 0.0, self.size, start)
        # Half a share at least, so that the rest is never left to one last step.
        units = np.maximum(even_last_steps(ahead.total, self.size), 0.5 * share)
        units = np.where(place.steps_left <= 1.0, np.maximum(units, share), units)
        return within_limits(ahead.after(units), place, self.settings), self._tolerance(place, ahead)

    def keep(self, place: StepPlace, t: Array, error: Array, trial: Mask, last: Mask) -> Mask:
        """(B,) which of the trial steps stay; a row's last call is always kept."""
        ahead = self._ahead(place)
        units = np.array([np.interp(at, ahead.grid, row) for at, row in zip(t, ahead.steps)])
        order = np.minimum(place.rows.counts, self.order - 1) + 1.0
        if self.settings.together:
            error = np.full_like(error, error[trial].max())
        hardness = np.log(np.maximum(error, 1e-12)) / order - np.log(np.maximum(units, 1e-12))
        mixed = np.where(np.isnan(self.hardness), hardness, 0.5 * (self.hardness + hardness))
        self.hardness = np.where(trial, mixed, self.hardness)
        ratio = error / self._tolerance(place, ahead)
        patience = np.where(place.tolerance > 0.0, 1.0, _BUDGET_PATIENCE)
        kept = (ratio <= patience) | last
        factors = self.controller.factors(ratio, order, kept & trial)
        self.size = np.where(trial, units * factors, self.size)
        return kept & trial

    def _ahead(self, place: StepPlace) -> Ahead:
        return place.density.ahead(place.t, np.zeros(self.rows))

    def _tolerance(self, place: StepPlace, ahead: Ahead) -> Array:
        """The person's tolerance, or what the rest of the budget comes to if it goes on as hard; inf at first."""
        order = np.minimum(place.rows.counts, self.order - 1) + 1.0
        known = ~np.isnan(self.hardness)
        per_step = ahead.total / np.maximum(_PLANNED * place.steps_left, 1.0)
        budget = (np.exp(np.where(known, self.hardness, 0.0)) * per_step) ** order
        return np.maximum(place.tolerance, np.where(known, np.maximum(budget, _LEAST), np.inf))


def share_of_budget(ahead: Ahead, place: StepPlace, first: Array) -> Array:
    """(B,) length of the next step in units of density, if the budget's steps share the rest; 0 without a budget."""
    return ahead.total * first / (first + place.steps_left - 1.0 + place.unfinished)


def even_last_steps(total: Array, units: Array) -> Array:
    """The same steps, the last two alike: no tiny one remains."""
    return np.where(total <= units, total, np.where(total < 2.0 * units, 0.5 * total, units))


def within_limits(t: Array, place: StepPlace, settings: Settings) -> Array:
    """Between the shortest and the longest step, except where the budget would not reach the end then."""
    end = place.density.end
    limited = np.clip(t, place.t + settings.min_step, place.t + settings.max_step)
    finite = np.isfinite(place.steps_left)
    left = np.where(finite, place.steps_left, 1.0)
    short = finite & (end - limited > (left - 1.0 + place.unfinished) * settings.max_step)
    needed = np.where(short, place.t + (end - place.t) / (left + place.unfinished), limited)
    # The last of a budget lands on the end, or as near as `unfinished` says, whatever the limits say.
    last = finite & (left <= 1.0)
    return np.minimum(np.where(last, np.maximum(t, place.t), needed), end)


def planner_for(settings: Settings, rows: int) -> PredictivePlanner | EmbeddedPlanner:
    """The planner of settings.method."""
    if settings.method == "predictive":
        return PredictivePlanner(settings, rows)
    return EmbeddedPlanner(settings, rows, 2 if settings.method == "embedded_2" else 3)
