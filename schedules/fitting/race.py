"""The race: the family's scale and stretch for one model, by true runs on few rows.

Minimised over (c, p), with e_b the end state's error in row b and (c_0, p_0) what serves models of this range:

    mean_b log e_b(c, p) + pull ((log(c / c_0) / spread_c)^2 + ((p - p_0) / spread_p)^2)

First scales alone on a part of the rows, far apart; then, from the best, steps in both numbers on all rows, halved
where none is better. Two numbers that every row shares are few enough for four rows; the pull decides where rows say
nothing (notes: a race over 30 pairs on one row is right on average and .57 at worst).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from ..family.learned import LEAST_STEPS, MOST_STEPS, Family, load_family
from ..family.placing import SCALES, STRETCHES, whole_hundredths
from ..family.schedule import family_coefficients, family_sigmas
from ..family.typical import typical_scale
from .objective import Objective, Trial
from .problem import Problem

# Factors of the typical scale that are tried first.
_FIRST = (1.0, 0.6, 1.6, 2.5, 0.4)
# Steps in log scale and stretch, and the least that is worth another run.
_STEP, _LEAST_STEP = (0.25, 0.12), 0.06
_PULL = 0.015
# The race runs at the count nearest to this: fewer steps say little, more cost more.
_RACED_STEPS = 8


@dataclass(frozen=True)
class FamilyPair:
    """Where the family lies on a model: log scale and stretch, of a version of its data."""

    version: int
    log_scale: float
    stretch: float

    @property
    def facts(self) -> dict[str, float]:
        """As presets hold it."""
        return {"version": self.version, "scale": round(math.exp(self.log_scale), 4), "stretch": self.stretch}

    def in_words(self) -> str:
        """One sentence for the report."""
        place = f"scale {math.exp(self.log_scale):.3g}, stretch {self.stretch:.3g}"
        return f"The family (version {self.version}) suits this model at {place}."


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
    family: Family = field(init=False)

    def __post_init__(self) -> None:
        self.family = self.problem.family or load_family()
        self._usual = whole_hundredths(*typical_scale(self.family, self.problem.sigma_range))

    def run(self, allowance: float) -> tuple[float, float]:
        """(log scale, stretch) of the best run for at most about `allowance` evaluations per sample."""
        problem, budget = self.problem, self.problem.budget
        steps = min(family_counts(problem), key=lambda count: abs(count - _RACED_STEPS))
        budget.message = f"{steps} steps: scale and stretch"
        stop, cost = budget.spent + allowance, steps * self.objective.share
        scores: dict[tuple[float, float], float] = {}
        for factor in _FIRST:
            if scores and budget.spent + steps * self.some.share + cost > stop:
                break
            pair = self._bounded(self._usual[0] + math.log(factor), self._usual[1])
            if pair not in scores:
                scores[pair] = self._score(self.some, steps, pair)
        best = min(scores, key=lambda pair: scores[pair])
        return self._walk(steps, best, stop, cost)

    def trial(self, objective: Objective, steps: int, pair: tuple[float, float]) -> Trial:
        """A run of the family at a step count."""
        sigmas = family_sigmas(self.family, steps, *pair, self.problem.sigma_range)
        return objective(sigmas, origin="the family", coefficients=self.coefficients(sigmas))

    def coefficients(self, sigmas: Tensor) -> Tensor | None:
        """Those of a list of the family where the sampler runs any."""
        if not self.problem.fits_coefficients:
            return None
        sampling = self.problem.sampling
        return family_coefficients(self.family, sigmas, sampling.guidance, flow=sampling.sigma_range.flow)

    def _walk(self, steps: int, start: tuple[float, float], stop: float, cost: float) -> tuple[float, float]:
        scores = {start: self._score(self.objective, steps, start)}
        best, share = start, 1.0
        while share >= _LEAST_STEP / _STEP[0]:
            centre = best
            for pair in self._around(centre, share):
                if pair in scores:
                    continue
                if self.problem.budget.spent + cost > stop:
                    return best
                scores[pair] = self._score(self.objective, steps, pair)
                if scores[pair] < scores[best]:
                    best = pair
            if best == centre:
                share /= 2.0
        return best

    def _around(self, pair: tuple[float, float], share: float) -> Iterator[tuple[float, float]]:
        up, along = (share * step for step in _STEP)
        for scale, stretch in ((up, 0.0), (-up, 0.0), (0.0, along), (0.0, -along)):
            yield self._bounded(pair[0] + scale, pair[1] + stretch)

    def _bounded(self, log_scale: float, stretch: float) -> tuple[float, float]:
        return whole_hundredths(
            min(max(math.exp(log_scale), SCALES[0]), SCALES[1]), min(max(stretch, STRETCHES[0]), STRETCHES[1])
        )

    def _score(self, objective: Objective, steps: int, pair: tuple[float, float]) -> float:
        trial = self.trial(objective, steps, pair)
        trial.rollout.forget()  # neighbours differ from the first step on
        away = [(value - usual) / spread for value, usual, spread in zip(pair, self._usual, self.family.spread)]
        return math.log(trial.error) + _PULL * sum(distance**2 for distance in away)


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
