"""The race: where the family lies on one model, by true runs on few rows.

First scales alone on a part of the rows, far apart. Then, from the best, scale, stretch and as many directions in which
models differ as the calls allow, by the Gauss-Newton method on all rows (place.py says what is minimised). A dozen
numbers that are pulled to what models mostly have are few enough for four rows; the usual place stays where the gain
over it, row by row, is not larger than its own standard error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from ..family.learned import LEAST_STEPS, MOST_STEPS, load_family
from ..family.placing import SCALES, whole_hundredths
from .objective import Objective, Trial
from .place import PULL, FamilyCoordinates, FamilyPlace, FamilyRuns
from .problem import Problem
from .refine.gauss_newton import descend

# Factors of the typical scale that are tried first.
_FIRST = (1.0, 0.6, 1.6, 2.5, 0.4)
# The race runs at the count nearest to this: fewer steps say little, more cost more.
_RACED_STEPS = 8
# Runs after the Jacobian that make it worth its calls.
_RUNS_AFTER = 3


@dataclass
class Race:
    """Runs of the family on one model.

    Args:
        problem: what is fitted.
        objective: of all search rows.
        some: of a part of them.
    """

    problem: Problem
    objective: Objective
    some: Objective
    runs: FamilyRuns = field(init=False)

    def __post_init__(self) -> None:
        self.runs = FamilyRuns(self.problem, self.problem.family or load_family())

    def run(self, allowance: float) -> FamilyPlace:
        """The best place found for at most about `allowance` evaluations per sample."""
        problem, budget, usual = self.problem, self.problem.budget, self.runs.usual
        steps = min(family_counts(problem), key=lambda count: abs(count - _RACED_STEPS))
        budget.message = f"{steps} steps: scale and stretch"
        cost = steps * self.objective.share
        stop = budget.spent + allowance - cost  # for the comparison with the usual place
        scores: dict[FamilyPlace, float] = {}
        for factor in _FIRST:
            if scores and budget.spent + steps * self.some.share + cost > stop:
                break
            scale = min(max(math.exp(usual.log_scale) * factor, SCALES[0]), SCALES[1])
            place = replace(usual, log_scale=whole_hundredths(scale, usual.stretch)[0])
            if place not in scores:
                scores[place] = self._score(steps, place)
        return self._walk(steps, min(scores, key=lambda place: scores[place]), stop)

    def trial(self, steps: int, place: FamilyPlace) -> Trial:
        """A run on all search rows."""
        return self.runs.trial(self.objective, steps, place)

    def _walk(self, steps: int, start: FamilyPlace, stop: float) -> FamilyPlace:
        """The best place near a start, or the usual one where that is not shown to be worse."""
        budget, cost = self.problem.budget, (steps - 1) * self.objective.share
        usual = self.trial(steps, self.runs.usual)
        first = usual if start == self.runs.usual else self.trial(steps, start)
        runs = int((stop - budget.spent) / cost) - _RUNS_AFTER
        columns = min(runs, 2 + self.runs.directions)
        best, place = first, start
        if columns >= 2:
            coordinates = FamilyCoordinates(self.runs, steps, start, columns)
            best, z = descend(self.objective, self.objective.with_outputs(first), coordinates, stop, cost)
            place = coordinates.at(z)
        gains = (usual.errors / best.errors).log()
        for trial in (usual, first, best):
            trial.rollout.forget()
        shown = len(gains) < 2 or float(gains.mean()) > float(gains.std()) / len(gains) ** 0.5
        return place if shown else self.runs.usual

    def _score(self, steps: int, place: FamilyPlace) -> float:
        trial = self.runs.trial(self.some, steps, place)
        trial.rollout.forget()  # neighbours differ from the first step on
        return math.log(trial.error) + PULL * float((self.runs.away(place) ** 2).sum())


def family_counts(problem: Problem) -> list[int]:
    """The step counts of a fit for which the family has levels and, where they are run, coefficients."""
    return [count for count in problem.steps if LEAST_STEPS <= count <= MOST_STEPS]


def can_race(problem: Problem) -> bool:
    """Whether the family is for runs like these: whole ones of one model, by a deterministic sampler.

    Its levels are worth little without its coefficients, so a refined fit of another sampler does without.
    """
    sampling = problem.sampling
    plain = sampling.start is None and sampling.boundary is None and not problem.stochastic
    wanted = problem.fits_coefficients or not problem.effort.refines
    return plain and wanted and problem.method == "gauss_newton" and bool(family_counts(problem))
