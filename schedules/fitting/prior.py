"""How far a model's own levels and parameters lie from the family's: the pull on a fit that moves every step.

With x the log levels and parameters at one step count minus the family's where it usually lies,

    x = sum_j z_j d_j + e,    z_j ~ N(0, 1 / (2 PULL)),    e ~ N(0, 1 / _OWN)

with d_j one standard deviation between models: of scale, of stretch, along each direction (family/learned.py). e is
what no direction holds, small at every step. So a fit on B noises costs w x' P x / 2 in mean log error, with

    P^-1 = sum_j d_j d_j' / (2 PULL) + I / _OWN,    w = _ROWS / B

and z_j = d_j' P x / (2 PULL) is where the family lies on the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from ..core.noise_space import Array
from ..family.learned import ORDER
from ..family.place import FamilyPlace
from ..family.placing import SCALES, STRETCHES, certainty, log_levels, placed_levels, whole_hundredths
from ..samplers.parameters import dpmpp_2m_parameters, parameters_of
from .place import PULL, FamilyRuns

# As if every level and parameter had a standard deviation of .12 of its own where a direction has 1. A freer fit, with
# .5 in its place, was worse at 8 steps and four noises on four of five networks that the family has not seen.
_OWN = 2.0
# Noises beside which the pull was chosen; more of them tell more against it.
_ROWS = 4


@dataclass(frozen=True)
class FamilyPrior:
    """The pull on a fit of one model at one step count.

    Args:
        runs: of the family on the model.
        steps: solver intervals.
    """

    runs: FamilyRuns
    steps: int

    @cached_property
    def ways(self) -> Array:
        """(2 + directions, unknowns) d_j: changes of the log levels (steps - 1) and parameters (steps * features)."""
        family, usual = self.runs.family, self.runs.usual
        known, flow = family.at(self.steps, flow=self._flow), self._flow
        width = known.parameters[0].size
        ways = [np.concatenate([np.full(self.steps - 1, self.runs.spread[0]), np.zeros(width)])]
        ways.append(np.concatenate([self.runs.spread[1] * known.levels, np.zeros(width)]))
        for number in range(self.runs.directions):
            moved = family.moved((*[0.0] * number, 1.0), flow=flow).at(self.steps, flow=flow)
            levels = usual.stretch * (moved.levels - known.levels)
            ways.append(np.concatenate([levels, (moved.parameters[0] - known.parameters[0]).ravel()]))
        squeezed = certainty(usual.log_scale + usual.stretch * known.levels, self.runs.problem.sigma_range)
        return np.stack(ways) * np.append(squeezed, np.ones(width))

    @cached_property
    def precision(self) -> Array:
        """(unknowns, unknowns) P, in mean log error."""
        return np.linalg.inv(self.ways.T @ self.ways / (2.0 * PULL) + np.eye(self.ways.shape[1]) / _OWN)

    def pull(self, rows: int) -> Array:
        """(unknowns, unknowns) w P, beside the mean log error of so many rows."""
        return self.precision * (_ROWS / rows)

    def away(self, sigmas: Tensor, coefficients: Tensor) -> Array:
        """(unknowns,) x of a list with its coefficients."""
        family, usual, limits = self.runs.family, self.runs.usual, self.runs.problem.sigma_range
        known = family.at(self.steps, flow=self._flow)
        inner = placed_levels(known.levels, usual.log_scale, usual.stretch, limits)
        now, usually = (log_levels(each, flow=self._flow) for each in (sigmas[1:-1].double().numpy(), inner))
        parameters = parameters_of(coefficients, sigmas) - dpmpp_2m_parameters(sigmas, ORDER)
        parameters -= known.parameters_at(self.runs.problem.sampling.guidance)
        return np.concatenate([now - usually, parameters.ravel()])

    def slopes(self, sigmas: Tensor) -> Array:
        """(steps - 1,) how fast the log levels of a list change with the logs of its inner sigmas."""
        inner = sigmas[1:-1].double().numpy()
        return 1.0 / (1.0 - inner) if self._flow else np.ones(len(inner))

    def place(self, sigmas: Tensor, coefficients: Tensor) -> FamilyPlace:
        """Where the family lies on a model that such a list suits, its levels in order at every step count."""
        usual = self.runs.usual
        z = self.ways @ self.precision @ self.away(sigmas, coefficients) / (2.0 * PULL)
        scale = math.exp(usual.log_scale + self.runs.spread[0] * z[0])
        stretch = usual.stretch + self.runs.spread[1] * z[1]
        pair = whole_hundredths(min(max(scale, SCALES[0]), SCALES[1]), min(max(stretch, STRETCHES[0]), STRETCHES[1]))
        place = replace(usual, log_scale=pair[0], stretch=pair[1], steps=self.steps)
        for share in (1.0, 0.5, 0.25):
            moved = replace(place, numbers=tuple((share * z[2:]).round(2).tolist()))
            if self.runs.in_order(moved, self.steps):
                return moved
        return place

    @property
    def _flow(self) -> bool:
        return self.runs.problem.sigma_range.flow
