"""Schedule and coefficients of the fitted multistep sampler together, by the Gauss-Newton method of gauss_newton.py.

Minimised over z = (s, u), with r_b the student's end state minus the teacher's in row b (sketched):

    f(s, u) = mean_b log sqrt(||r_b(sigma(s), theta(s, u))||**2 + e**2) + z' M z / 2 + m' z
    theta(s, u) = theta_start + sum_j u_j basis_j + theta_2M(sigma(s)) - theta_2M(sigma(0))

s are shifts of the inner log-sigmas, u changes of the parameters theta of samplers/parameters.py, all steps at once:
what a step may leave to a later one is decided by what arrives at the end. While a sigma moves, the parameters move
with those of DPM++ 2M (theta_2M). M and m pull: all to what models mostly have where the family is known (prior.py),
else u alone to 0, with M = _PRIOR. They bend the steps; which run is the best is decided by the error alone.
Where every parameter of every step costs too much, they are tied to a few hat functions over the step index, as the
shifts are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core.noise_space import Array
from ...samplers.parameters import allowed, coefficients_of, dpmpp_2m_parameters, features, parameters_of
from ..objective import Objective, Trial, normal_equations
from ..prior import FamilyPrior
from ..refine.gauss_newton import NEAR_SHARE, Shifts, descend, jacobian, jacobian_calls, shifts_around
from .features import feature_sketches
from .tangents import fits_in_memory, tangent_calls, tangent_slope

# Pull of the parameters to where they started, in units of log error per sample.
_PRIOR = 1e-3
# A forward difference changes the state by this share of the error that is to be corrected: nearly linear, and visible
# where outputs are rounded to half precision.
_SHARE = 0.7
_LEAST, _MOST = 0.01, 0.7
# Share of an allowance that a Jacobian may take, and the runs after it that make it worth taking.
_JACOBIAN_SHARE, _RUNS_AFTER = 0.75, 3
_CONVERGED = 0.02
# Directions that tangents follow, the best that calls allow. Of the decrease that forward differences promise at the
# family's own place 3 bring .5 to .8 and 5 .86 to .9, at 5 to 10 steps; near the best of a fit 5 bring .1 to .4 and 8
# or 9 .4 to .8, damped.
RANKS = (9, 7, 5, 4, 3)
# More steps than this are tied to so many.
_MOST_KNOTS = 30
_FLOAT32 = 4


@dataclass(frozen=True)
class JointCoordinates:
    """Coordinates of schedules and coefficients near a given trial.

    Attributes:
        shifts: of the sigmas.
        theta: (steps, features) parameters at z = 0.
        basis: (columns, steps, features) changes of the parameters.
        parameter_differences: (columns,) forward differences of those.
        pull: M (columns of both, the same), m (columns of both).
        rank: of the tangents that tell the slope; 0: forward differences do.
        near_share: see Coordinates.
    """

    shifts: Shifts
    theta: Array
    basis: Array
    parameter_differences: Array
    order: int
    pull: tuple[Array, Array]
    rank: int
    near_share: float = NEAR_SHARE

    @property
    def differences(self) -> Array:
        return np.concatenate([self.shifts.differences, self.parameter_differences])

    def trial(self, objective: Objective, z: Array, base: Trial, origin: str = "") -> Trial:
        sigmas, coefficients = self.lists(z)
        return objective(sigmas, base, origin, coefficients)

    def slope(self, objective: Objective, trial: Trial) -> Tensor:
        return tangent_slope(objective, trial, self, self.rank) if self.rank else jacobian(objective, trial, self)

    def lists(self, z: Array) -> tuple[Tensor, Tensor]:
        """Sigma list and coefficients at z."""
        sigmas, theta = self.at(z)
        return sigmas, coefficients_of(theta, sigmas)

    def at(self, z: Array) -> tuple[Tensor, Array]:
        """Sigma list and parameters at z."""
        sigmas = self.shifts.schedule(z[: self._moving])
        theta = self.theta + np.tensordot(z[self._moving :], self.basis, axes=1)
        return sigmas, theta + dpmpp_2m_parameters(sigmas, self.order) - self._rule

    def bounded_step(self, at: Array, residual: Tensor, slope: Tensor, damping: float, near: float) -> Array:
        """Damped step for the mean log error and the pull, sigmas kept in order and range."""
        normal, gradient = normal_equations(residual, slope, near)
        matrix, vector = (len(residual) * each for each in self.pull)
        diagonal: Array = np.array(normal.diagonal())
        least = 1e-9 * max(float(diagonal.max()), 1e-30)
        damped: Array = normal + matrix + np.diag(damping * diagonal + least)
        gradient = gradient + matrix @ at + vector
        sigmas, free = at[: self._moving], np.ones(len(at), dtype=bool)
        step = self._limited_step(damped, gradient, sigmas, free)
        if self.shifts.below_floor(sigmas, step[: self._moving]):
            free[self._moving - 1] = False  # the last sigma stays
            step = self._limited_step(damped, gradient, sigmas, free)
        return step

    def _limited_step(self, normal: Array, gradient: Array, sigmas: Array, free: NDArray[np.bool_]) -> Array:
        """Solution in the free coordinates, the sigmas' part cut to what keeps their order."""
        step = np.zeros(len(free))
        step[free] = -np.linalg.solve(normal[np.ix_(free, free)], gradient[free])
        step[: self._moving] = self.shifts.limited(sigmas, step[: self._moving])
        return step

    @property
    def _moving(self) -> int:
        return self.shifts.basis.shape[1]

    @cached_property
    def _rule(self) -> Array:
        return dpmpp_2m_parameters(self.shifts.sigmas, self.order)


def refine_coefficients(
    objective: Objective,
    start: Trial,
    floor: float,
    allowance: float,
    prior: FamilyPrior | None = None,
    *,
    once: bool = False,
) -> Trial:
    """The best trial found near `start` for at most about `allowance` evaluations per sample, `start` itself included.

    Args:
        start: a trial with coefficients.
        floor: the model's sigma_min.
        prior: what is known of the model; None: nothing.
        once: whether one Jacobian is enough.
    """
    budget = objective.rollouts.budget
    stop, run_cost, best = budget.spent + allowance, start.steps * objective.share, start
    while (plan := slope_plan(objective, best, (stop - budget.spent) / objective.share)).knots > 0:
        best = objective.with_outputs(best)
        refined, _ = descend(objective, best, coordinates_around(best, plan, floor, prior), stop, run_cost)
        gain = np.log(best.error / refined.error)
        best = refined
        if once or gain < _CONVERGED:
            break
    return best


class SlopePlan(NamedTuple):
    """How a slope is told: hat functions at most for the sigmas and for each parameter, and rank of tangents or 0."""

    knots: int
    rank: int


_NO_SLOPE = SlopePlan(0, 0)


def coordinates_around(
    trial: Trial, plan: SlopePlan, floor: float, prior: FamilyPrior | None = None
) -> JointCoordinates:
    """Coordinates of the sigmas and the parameters, whose slope is told as planned."""
    knots, rank = plan
    assert trial.coefficients is not None
    order = trial.coefficients.shape[1] - 1
    columns = parameter_columns(trial.steps, order, knots)
    basis = np.stack([column for _, column in columns]) if columns else np.zeros((0, trial.steps, features(order)))
    effects = _effects(trial, order)
    error = float(trial.errors.square().mean().sqrt())
    visible = np.array([np.sqrt(np.square(column * effects).sum()) for _, column in columns])
    differences = np.clip(_SHARE * error / np.maximum(visible, 1e-30), _LEAST, _MOST)
    theta = parameters_of(trial.coefficients, trial.sigmas)
    shifts = shifts_around(trial.sigmas, knots, floor)
    if prior is None:
        pull = np.diag(np.append(np.zeros(shifts.basis.shape[1]), np.full(len(basis), _PRIOR)))
        return JointCoordinates(shifts, theta, basis, differences, order, (pull, np.zeros(len(pull))), rank)
    moves = _moves(shifts, basis, prior.slopes(trial.sigmas))
    pulled = moves.T @ prior.pull(len(trial.errors))
    pull_here = pulled @ prior.away(trial.sigmas, trial.coefficients)
    return JointCoordinates(shifts, theta, basis, differences, order, (pulled @ moves, pull_here), rank, 0.0)


def _moves(shifts: Shifts, basis: Array, slopes: Array) -> Array:
    """(unknowns of a prior, columns) how they change with z."""
    levels = (slopes * shifts.gaps)[:, None] * shifts.basis
    parameters = basis.reshape(len(basis), -1).T
    moves = np.zeros((len(levels) + len(parameters), levels.shape[1] + parameters.shape[1]))
    moves[: len(levels), : levels.shape[1]] = levels
    moves[len(levels) :, levels.shape[1] :] = parameters
    return moves


def slope_plan(objective: Objective, trial: Trial, calls: float) -> SlopePlan:
    """The best slope that fits into `calls` with a few runs after it; no knots for none.

    Forward differences of every step where they can be had. Else tangents, which cost a few calls a step however many
    unknowns there are: at 20 steps fits of effort fast of seven networks that the family has not seen ended 6.12 times
    nearer than dpmpp_2m by them, 5.25 times along the family's directions.
    """
    assert trial.coefficients is not None
    steps, order = trial.steps, trial.coefficients.shape[1] - 1

    def fits(needed: int) -> bool:
        return needed <= _JACOBIAN_SHARE * calls and needed + _RUNS_AFTER * steps <= calls

    if steps <= _MOST_KNOTS and fits(joint_jacobian_calls(steps, order, steps)):
        return SlopePlan(steps, 0)
    rows = len(trial.errors) if objective.splits else objective.rollouts.budget.rows
    size = _FLOAT32 * rows * trial.rollout.end[0].numel()
    ranks = [rank for rank in RANKS if objective.rollouts.has_tangents and fits_in_memory(steps, rank, size)]
    if ranks:
        affordable = (SlopePlan(min(steps, _MOST_KNOTS), rank) for rank in ranks if fits(tangent_calls(steps, rank)))
    else:
        knots = range(min(steps, _MOST_KNOTS), min(3, steps) - 1, -1)
        affordable = (SlopePlan(each, 0) for each in knots if fits(joint_jacobian_calls(steps, order, each)))
    return next(affordable, _NO_SLOPE)


def joint_jacobian_calls(steps: int, order: int, knots: int) -> int:
    """Sampler steps that a Jacobian runs: each column those after the first step it changes."""
    own = sum(steps - 1 - first for first, _ in parameter_columns(steps, order, knots))
    return own + jacobian_calls(steps, knots)


def parameter_columns(steps: int, order: int, knots: int) -> list[tuple[int, Array]]:
    """(first step changed, (steps, features) change) of every column.

    The last step of each parameter stands alone: its columns cost no model call, and the step to 0 is unlike others.
    """
    free = allowed(steps, order)
    columns: list[tuple[int, Array]] = []
    for feature in range(free.shape[1]):
        inner = np.flatnonzero(free[:-1, feature])
        count = min(knots, len(inner))
        at = np.linspace(0.0, len(inner) - 1.0, count) if count else np.zeros(0)
        for hat in np.eye(count):
            column = np.zeros(free.shape)
            column[inner, feature] = np.interp(np.arange(len(inner)), at, hat)
            columns.append((int(np.flatnonzero(column[:, feature])[0]), column))
        if free[-1, feature]:
            column = np.zeros(free.shape)
            column[-1, feature] = 1.0
            columns.append((steps - 1, column))
    return columns


def _effects(trial: Trial, order: int) -> Array:
    """(steps, features) root mean square change of the state's values per unit of each parameter."""
    calls = trial.rollout.calls
    values = trial.rollout.end[0].numel()
    effects = np.zeros((trial.steps, features(order)))
    for i, call in enumerate(calls):
        outputs = [earlier.output for earlier in calls[max(0, i - order + 1) : i + 1][::-1]]
        columns = feature_sketches(call.state, outputs, call.sigma, float(trial.sigmas[i + 1]), order)
        effects[i] = (columns.square().sum(dim=1).mean(dim=0) / values).sqrt().numpy()
    return effects
