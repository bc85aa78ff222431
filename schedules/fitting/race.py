"""The race: where the family lies on one model, by true runs on few rows.

First scales alone, far apart. Then, from the best, by the Gauss-Newton method, whichever the calls allow: levels and
parameters of every step, pulled to what models mostly have (prior.py), or scale, stretch and as many directions in
which models differ as fit in (place.py). Both are few enough unknowns for four rows, the first for their pull; the
usual place stays where the gain over it, row by row, is not larger than its own standard error.

Where there are many rows the first Jacobian is taken on few of them and every further one on three times as many: far
from the best, what a Jacobian tells is wrong by more than rows can mend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..core.words import Phrase
from ..family.learned import LEAST_STEPS, MOST_STEPS, load_family
from ..family.place import FamilyPlace
from ..family.placing import SCALES, whole_hundredths
from .coefficients.joint import refine_coefficients, slope_plan
from .objective import Objective, Trial
from .place import FAMILY_RUN, PULL, FamilyCoordinates, FamilyRuns
from .prior import FamilyPrior
from .problem import Problem
from .refine.gauss_newton import descend

# Factors of the typical scale that are tried beside it: two far apart, and two more where little else can be run.
_FIRST, _FAR_APART = (0.5, 2.0, 0.7, 1.4), 2
# Of several counts the nearest to this is raced at first.
_RACED_STEPS = 8
# Runs after the Jacobian that make it worth its calls.
_RUNS_AFTER = 2
# Of every parameter, to which the steps are tied: with fewer, as effort fast has at 20 steps, fits of two networks
# ended no nearer than along the directions.
_LEAST_KNOTS = 4
# Rows of a first Jacobian at least, and how many times more the next one has.
_FIRST_ROWS, _GROWTH = 4, 3


@dataclass
class Race:
    """Runs of the family on one model, and of what is near it.

    Args:
        problem: what is fitted.
        objective: of the search rows.
    """

    problem: Problem
    objective: Objective
    runs: FamilyRuns = field(init=False)

    def __post_init__(self) -> None:
        self.runs = FamilyRuns(self.problem, self.problem.family or load_family())

    def run(self, steps: int, allowance: float, other: FamilyPlace | None = None) -> tuple[FamilyPlace, Trial]:
        """(best place, its run) found at a step count for at most about `allowance` evaluations per sample.

        Args:
            other: the place at another step count, to start from in place of scales far apart.

        Where every step was moved, the place is the one that is nearest to what was found.
        """
        budget, usual, stages = self.problem.budget, self.runs.usual, self._stages()
        few = stages[0]
        budget.message = Phrase("{steps} steps: scale and stretch", steps=steps)
        stop = budget.spent + allowance
        tried = {usual: self.runs.trial(few, steps, usual)}
        best = usual
        for number, place in enumerate(self._far_apart() if other is None else [other.at_steps(steps)]):
            spare = stop - steps * few.share
            if budget.spent > spare or (number >= _FAR_APART and self._columns(steps, spare) >= 2):
                break
            if place in tried:
                continue
            tried[place] = self.runs.trial(few, steps, place)
            worse = place
            if self._score(place, tried[place]) < self._score(best, tried[best]):
                best, worse = place, best
            tried[worse].rollout.forget()
        place, trial = self._walk(stages, tried[usual], best, tried[best], stop)
        return replace(place, steps=steps), trial

    def _stages(self) -> list[Objective]:
        """Objectives on more and more of the search rows, the last on all of them; one where rows are few."""
        stages = [self.objective]
        effort = self.problem.effort
        moves = self.problem.fits_coefficients and effort.moves_steps and not effort.refines and self.objective.splits
        while moves and (rows := len(stages[0].reference)) > 2 * _FIRST_ROWS:
            stages.insert(0, self.objective.leading(max(rows // _GROWTH, _FIRST_ROWS)))
        return stages

    def _far_apart(self) -> Iterator[FamilyPlace]:
        usual = self.runs.usual
        for factor in _FIRST:
            scale = min(max(math.exp(usual.log_scale) * factor, SCALES[0]), SCALES[1])
            yield replace(usual, log_scale=whole_hundredths(scale, usual.stretch)[0])

    def trial(self, steps: int, place: FamilyPlace) -> Trial:
        """A run at a step count, with the place's numbers as they are."""
        return self.runs.trial(self.objective, steps, place)

    def _walk(
        self, stages: list[Objective], usual: Trial, start: FamilyPlace, first: Trial, stop: float
    ) -> tuple[FamilyPlace, Trial]:
        """The best run near a start and its place, or the usual one where that is not shown to be worse."""
        steps = first.steps
        if len(stages) > 1:
            usual.rollout.forget()
            usual = self.trial(steps, self.runs.usual)
        best, place = first, start
        if self._moves_every_step(first, stop, stages):
            prior = FamilyPrior(self.runs, steps)
            best = self._every_step(stages, usual, first, stop, prior)
            if best.coefficients is not None and best.origin != FAMILY_RUN:
                place = prior.place(best.sigmas, best.coefficients)
        else:
            if len(stages) > 1:
                first.rollout.forget()
                best = first = usual if start == self.runs.usual else self.trial(steps, start)
            if (columns := self._columns(steps, stop)) >= 2:
                coordinates = FamilyCoordinates(self.runs, steps, start, columns)
                begun = self.objective.with_outputs(first)
                best, z = descend(self.objective, begun, coordinates, stop, self._cost(steps))
                place = coordinates.at(z)
        gains = (usual.errors / best.errors).log()
        for trial in (usual, first, best):
            trial.rollout.forget()
        shown = len(gains) < 2 or float(gains.mean()) > float(gains.std()) / len(gains) ** 0.5
        return (place, best) if shown else (self.runs.usual, usual)

    def _every_step(
        self, stages: list[Objective], usual: Trial, first: Trial, stop: float, prior: FamilyPrior
    ) -> Trial:
        """The best run with levels and parameters of every step moved, from the first one or the usual one."""
        floor, best = self.problem.sigma_range.sigma_min, first
        for number, objective in enumerate(stages):
            last = number == len(stages) - 1
            if number:
                best.rollout.forget()
                best = objective(best.sigmas, None, best.origin, best.coefficients)
                if last and usual.error < best.error:
                    best.rollout.forget()
                    best = usual
            allowance = self._each_row(stages[number:], first.steps, stop) * objective.share
            best = refine_coefficients(objective, best, floor, allowance, prior, once=not last)
        return best

    def _each_row(self, stages: list[Objective], steps: int, stop: float) -> float:
        """Model calls for each row of each stage, beside the run that begins a further one."""
        begun = steps * sum(objective.share for objective in stages[1:])
        return (stop - self.problem.budget.spent - begun) / sum(objective.share for objective in stages)

    def _moves_every_step(self, first: Trial, stop: float, stages: list[Objective]) -> bool:
        """Whether a Jacobian of every step's sigma and parameters fits in, where nothing else will move them."""
        left = self._each_row(stages, first.steps, stop)
        effort = self.problem.effort
        alone = first.coefficients is not None and effort.moves_steps and not effort.refines
        return alone and slope_plan(self.objective, first, left).knots >= min(_LEAST_KNOTS, first.steps)

    def _columns(self, steps: int, stop: float) -> int:
        """Scale, stretch and directions whose Jacobian and a few runs after it fit in; below 2 nothing does."""
        runs = int((stop - self.problem.budget.spent) / self._cost(steps)) - _RUNS_AFTER
        return min(runs, 2 + self.runs.directions)

    def _cost(self, steps: int) -> float:
        """Evaluations per sample of a run whose first call is known."""
        return (steps - 1) * self.objective.share

    def _score(self, place: FamilyPlace, trial: Trial) -> float:
        return math.log(trial.error) + PULL * float((self.runs.away(place) ** 2).sum())


def raced_counts(problem: Problem) -> list[int]:
    """The counts to race at, that to begin with first: fewer steps say little, more cost more."""
    return sorted(family_counts(problem), key=lambda count: abs(count - _RACED_STEPS))


def family_counts(problem: Problem) -> list[int]:
    """The step counts of a fit for which the family has levels and, where they are run, coefficients."""
    return [count for count in problem.steps if LEAST_STEPS <= count <= MOST_STEPS]


def race_alone(problem: Problem) -> Problem:
    """The problem, its schedules not refined beyond the race where a race can do all that there is to do.

    A race pulls every step to what models mostly have, a refinement pulls to nothing. On 16 noises of effort balanced
    fits of seven networks that the family has not seen ended 7.24 times nearer than dpmpp_2m by the first at 20 steps,
    6.61 by the second, at 5 to 10 steps 3.10 and 3.08; on fewer noises the second ends farther than effort fast.
    """
    pulled = problem.fits_coefficients and can_race(problem) and family_counts(problem) == list(problem.steps)
    return replace(problem, effort=replace(problem.effort, refines=False)) if pulled else problem


def can_race(problem: Problem) -> bool:
    """Whether the family is for runs like these: whole ones of one model, by a deterministic sampler.

    Its levels are worth little without its coefficients, so a refined fit of another sampler does without.
    """
    sampling = problem.sampling
    plain = sampling.start is None and sampling.boundary is None and not problem.stochastic
    wanted = problem.fits_coefficients or not problem.effort.refines
    return plain and wanted and problem.method == "gauss_newton" and bool(family_counts(problem))
