"""Where the family lies on one model, and the coordinates in which a race moves it.

With z = (log c, p, z_1 .. z_k) from a centre, the family's levels and parameters are

    v(z) = v + sum_j z_j V_j,    theta(z) = theta + sum_j z_j Theta_j,    log sigma_i = log c + p v_i(z)

with V_j, Theta_j one standard deviation between models along direction j (family/learned.py). Minimised, with r_b the
end state's distance to the reference in row b:

    mean_b log ||r_b(z)|| + pull ((log(c / c_0) / spread_c)^2 + ((p - p_0) / spread_p)^2 + sum_j z_j^2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from ..core.noise_space import Array
from ..family.learned import Family
from ..family.place import FamilyPlace
from ..family.placing import SCALES, STRETCHES, whole_hundredths
from ..family.schedule import family_coefficients, family_sigmas
from ..family.typical import typical_scale
from .objective import Objective, Trial, normal_equations
from .problem import Problem
from .refine.gauss_newton import jacobian

PULL = 0.015
# Origin of a run of the family as it is at a place.
FAMILY_RUN = "the family"
# Spreads between models are those of a small zoo: a model outside it may lie further away.
_LEAST_SPREAD = (0.3, 0.1)
# Forward differences of log scale, stretch and each number: visible, nearly straight.
_DIFFERENCES = (0.05, 0.03, 0.15)
# The most that one step moves each.
_MOST = (0.6, 0.2, 1.5)
# Levels nearer than this are out of order.
_GAP = 0.02


@dataclass(frozen=True)
class FamilyRuns:
    """Runs of the family on one model.

    Args:
        problem: what is fitted.
        family: as it lies on no model yet.
    """

    problem: Problem
    family: Family

    @property
    def usual(self) -> FamilyPlace:
        """Where it serves models of this range of noise levels."""
        return FamilyPlace(
            self.family.version, *whole_hundredths(*typical_scale(self.family, self.problem.sigma_range))
        )

    @property
    def directions(self) -> int:
        """Numbers beyond scale and stretch that a model can have: they belong to the coefficients."""
        problem = self.problem
        return self.family.count_of_directions(flow=problem.sigma_range.flow) if problem.fits_coefficients else 0

    def at(self, place: FamilyPlace) -> Family:
        """The family with its levels and parameters there."""
        return self.family.moved(place.numbers, flow=self.problem.sigma_range.flow)

    def trial(self, objective: Objective, steps: int, place: FamilyPlace, base: Trial | None = None) -> Trial:
        """A run at a step count; `base` may share its first call."""
        family, limits = self.at(place), self.problem.sigma_range
        sigmas = family_sigmas(family, steps, place.log_scale, place.stretch, limits)
        coefficients = None
        if self.problem.fits_coefficients:
            coefficients = family_coefficients(family, sigmas, self.problem.sampling.guidance, flow=limits.flow)
        return objective(sigmas, base, FAMILY_RUN, coefficients)

    def away(self, place: FamilyPlace) -> Array:
        """Spreads by which a place lies from the usual one."""
        usual, numbers = self.usual, place.numbers
        log_scale, stretch = place.log_scale - usual.log_scale, place.stretch - usual.stretch
        return np.array([log_scale / self.spread[0], stretch / self.spread[1], *numbers])

    def in_order(self, place: FamilyPlace, steps: int) -> bool:
        """Whether levels fall there, at a step count and at all that have directions."""
        flow = self.problem.sigma_range.flow
        family = self.at(place)
        # Counts without directions of their own take those of others, and few of a place's numbers.
        counts = {steps, *family.directions.get("flow" if flow else "ve", ())}
        return all(bool((np.diff(family.at(count, flow=flow).levels) < -_GAP).all()) for count in counts)

    @property
    def spread(self) -> tuple[float, float]:
        """Standard deviations between models of log scale and stretch."""
        known, least = self.family.spread, _LEAST_SPREAD
        return max(known[0], least[0]), max(known[1], least[1])


@dataclass(frozen=True)
class FamilyCoordinates:
    """Coordinates around a place of the family at one step count: see the head of this file.

    Args:
        columns: 2, and the directions that are moved along.
    """

    runs: FamilyRuns
    steps: int
    centre: FamilyPlace
    columns: int

    @property
    def differences(self) -> Array:
        return self._each(_DIFFERENCES)

    @property
    def near_share(self) -> float:
        return 0.0  # a dozen numbers that are pulled to what models mostly have cannot bring one row near alone

    def trial(self, objective: Objective, z: Array, base: Trial, origin: str = "") -> Trial:
        del origin
        return self.runs.trial(objective, self.steps, self.at(z), base)

    def at(self, z: Array) -> FamilyPlace:
        """The place at z, within bounds and in whole hundredths."""
        centre, moved = self.centre, self.columns - 2
        numbers = np.zeros(max(len(centre.numbers), moved))  # those that are not moved along stay
        numbers[: len(centre.numbers)] = centre.numbers
        numbers[:moved] += z[2:]
        scale = math.exp(min(max(centre.log_scale + z[0], math.log(SCALES[0])), math.log(SCALES[1])))
        stretch = min(max(centre.stretch + z[1], STRETCHES[0]), STRETCHES[1])
        pair = whole_hundredths(min(max(scale, SCALES[0]), SCALES[1]), stretch)
        return replace(centre, log_scale=pair[0], stretch=pair[1], numbers=tuple(numbers.round(2).tolist()))

    def slope(self, objective: Objective, trial: Trial) -> Tensor:
        return jacobian(objective, trial, self)

    def bounded_step(self, at: Array, residual: Tensor, slope: Tensor, damping: float, near: float) -> Array:
        """A damped step, pulled to the usual place, that leaves levels in order."""
        normal, gradient = normal_equations(residual, slope, near)
        spreads = self._each((*self.runs.spread, 1.0))
        pull = 2.0 * PULL * len(residual) / spreads**2
        away = self.runs.away(self.at(at))[: self.columns] * spreads
        diagonal = np.diag(normal)
        damped = normal + np.diag(damping * diagonal + 1e-9 * max(diagonal.max(), 1e-30) + pull)
        step: Array = -np.linalg.solve(damped, gradient + pull * away)
        step = step / max(1.0, float(np.max(np.abs(step) / self._each(_MOST))))
        for _ in range(6):
            if self.runs.in_order(self.at(at + step), self.steps):
                return step
            step = step / 2.0
        return np.zeros(self.columns)

    def _each(self, of_scale_stretch_number: tuple[float, float, float]) -> Array:
        scale, stretch, number = of_scale_stretch_number
        return np.array([scale, stretch, *[number] * (self.columns - 2)])
