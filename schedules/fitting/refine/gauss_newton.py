"""Refinement of a schedule by Gauss-Newton on the end states, with Broyden updates between Jacobians.

Minimised over the unknowns z, with r_b the student's end state minus the teacher's in row b (sketched):

    f(z) = mean_b log sqrt(||r_b(z)||**2 + e**2),   log sigma_i = log sigma_i(0) + gap_i (basis z)_i,  0 < i < steps

so unknowns are shifts of the inner log-sigmas, each in units of the smaller gap to its neighbours; the first sigma
stays. With many steps the shifts are tied to a few hat functions over the step index, the columns of `basis`. A step
solves

    (N + damping * diag N) dz = -sum_b w_b J_b' r_b,    N = sum_b w_b J_b' J_b,   w_b = 1 / (||r_b||**2 + e**2)

whose right side is minus the gradient of B f; objective.py says what e is. A Jacobian column runs only the calls after
the first sigma it moves; a Broyden update costs one run and corrects every sample's Jacobian along the step that was
tried.

Source: Levenberg 1944, Marquardt 1963 (damping); Broyden 1965 (rank-one update); the composition is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...core.noise_space import Array
from ...core.sigmas import finish_sigmas
from ..objective import Objective, Trial, mean_log, near_square, normal_equations

# Largest shift of one sigma per step, in units of the gap: two neighbours that meet half way stay ordered.
_MAX_SHIFT = 0.4
# Forward difference, in the same units: small beside the moves that it predicts, large beside float32 rounding.
_DIFFERENCE = 0.1
# A row nearer to the teacher than this share of a typical row's distance at the start counts little more if it comes
# nearer still. Half left fits of dpmpp_2m's sigmas for 700 calls 1.04 times nearer on clip art and emoji by flow, level
# by noise prediction and on letters by flow; fits of sigmas and coefficients for 3,000 calls 1.01 times. A quarter and
# one did less.
NEAR_SHARE = 0.5
# A step that gains less than this in log error is stalling.
_STALL = 0.004
# A Jacobian that brought less than this is the last one.
_CONVERGED = 0.02


class Coordinates(Protocol):
    """Unknowns near a trial, z = 0 being the trial itself."""

    @property
    def differences(self) -> Array:
        """(columns,) step of the forward difference in each."""
        ...

    @property
    def near_share(self) -> float:
        """Share of a typical row's distance at z = 0 below which a row has come near enough; 0: however near."""
        ...

    def trial(self, objective: Objective, z: Array, base: Trial, origin: str = "") -> Trial:
        """Run what z stands for; `base` may share its first calls."""
        ...

    def slope(self, objective: Objective, trial: Trial) -> Tensor:
        """(B, m, columns) derivative of the residuals at a trial, z = 0."""
        ...

    def bounded_step(self, at: Array, residual: Tensor, slope: Tensor, damping: float, near: float) -> Array:
        """A damped Gauss-Newton step from `at` that leaves a valid schedule; `near` is e**2."""
        ...


@dataclass(frozen=True)
class Shifts:
    """Coordinates of schedules near a given one: log sigma_i = base_i + gap_i * (basis @ z)_i."""

    sigmas: Tensor
    gaps: Array
    basis: Array
    floor: float

    @property
    def differences(self) -> Array:
        return np.full(self.basis.shape[1], _DIFFERENCE)

    @property
    def near_share(self) -> float:
        return NEAR_SHARE

    def trial(self, objective: Objective, z: Array, base: Trial, origin: str = "") -> Trial:
        return objective(self.schedule(z), base, origin)

    def slope(self, objective: Objective, trial: Trial) -> Tensor:
        return jacobian(objective, trial, self)

    def bounded_step(self, at: Array, residual: Tensor, slope: Tensor, damping: float, near: float) -> Array:
        return bounded_step(self, at, residual, slope, damping, near)

    def schedule(self, z: Array) -> Tensor:
        """Sigma list at z."""
        positive = np.exp(self._log(z))
        positive[0] = float(self.sigmas[0])
        return finish_sigmas(positive)

    def limited(self, z: Array, step: Array) -> Array:
        """The step cut so that no sigma moves more than _MAX_SHIFT of its present gaps.

        Coordinate by coordinate: one pair of sigmas that has closed up must not hold back all the others.
        """
        log = self._log(z)
        gaps = -np.diff(log)
        nearest = np.minimum(gaps, np.append(gaps[1:], np.inf))
        excess = np.maximum(np.abs(self.gaps * (self.basis @ step)) / (_MAX_SHIFT * nearest), 1.0)
        step = step / np.where(self.basis != 0.0, excess[:, None], 1.0).max(axis=0, initial=1.0)
        # Hats overlap: cuts of different size on two that pulled against each other can leave more than before.
        excess = np.abs(self.gaps * (self.basis @ step)) / (_MAX_SHIFT * nearest)
        return step / max(excess.max(initial=0.0), 1.0)

    def below_floor(self, z: Array, step: Array) -> bool:
        """Whether the last positive sigma would leave the model's range."""
        return bool(self._log(z + step)[-1] < np.log(self.floor) - 1e-6)

    def _log(self, z: Array) -> Array:
        log = np.log(self.sigmas[:-1].double().numpy())
        log[1:] += self.gaps * (self.basis @ z)
        return log


def shifts_around(sigmas: Tensor, columns: int, floor: float) -> Shifts:
    """Coordinates around a schedule with `columns` hat functions over its inner sigmas (all of them: one each)."""
    log = np.log(sigmas[:-1].double().numpy())
    gaps = -np.diff(log)
    inner = len(gaps)
    nearest = np.minimum(gaps, np.append(gaps[1:], np.inf))
    columns = min(columns, inner)
    knots = np.linspace(0.0, inner - 1.0, columns)
    basis = np.stack([np.interp(np.arange(inner), knots, row) for row in np.eye(columns)], axis=1)
    return Shifts(sigmas, nearest, basis, floor)


def jacobian_calls(steps: int, columns: int) -> int:
    """Sampler steps that a Jacobian runs: each column those from the first sigma it moves."""
    columns = min(columns, steps - 1)
    if columns < 1:
        return 0
    knots = np.linspace(0.0, steps - 2.0, columns)
    first = np.maximum(np.ceil(np.append(0.0, knots[:-1]) + 1e-9), 0)
    first[0] = 0
    return int(sum(steps - 1 - f for f in first))


def jacobian(objective: Objective, trial: Trial, coordinates: Coordinates) -> Tensor:
    """(B, m, columns) derivative of the residuals by forward differences."""
    columns = []
    for move in np.diag(coordinates.differences):
        # Down for the last sigma would hit the floor; up is always free by _DIFFERENCE < 1.
        moved = coordinates.trial(objective, move, trial, trial.origin)
        columns.append((moved.residual - trial.residual) / move.max())
    return torch.stack(columns, dim=2)


def damped_step(residual: Tensor, slope: Tensor, damping: float, free: int, near: float) -> Array:
    """Levenberg-Marquardt step for the mean log error, in the first `free` coordinates; the others stay."""
    normal, gradient = normal_equations(residual, slope[:, :, :free], near)
    diagonal = np.diag(normal).copy()
    normal = normal + np.diag(damping * diagonal + 1e-12 * max(diagonal.max(), 1e-30))
    return -np.linalg.solve(normal, gradient)


def bounded_step(shifts: Shifts, at: Array, residual: Tensor, slope: Tensor, damping: float, near: float) -> Array:
    """A damped step that keeps the order and the floor: where the last sigma would leave the range, it stays."""
    for free in (len(at), len(at) - 1):
        step = np.zeros(len(at))
        step[:free] = damped_step(residual, slope, damping, free, near) if free else 0.0
        step = shifts.limited(at, step)
        if not shifts.below_floor(at, step):
            return step
    return np.zeros(len(at))


def refine(objective: Objective, start: Trial, floor: float, allowance: float) -> Trial:
    """The best schedule found near `start` for at most about `allowance` evaluations per sample.

    Args:
        floor: the model's sigma_min.
        allowance: evaluations per sample; a new Jacobian is taken only when it and two runs after it still fit.
    Returns:
        the best trial, `start` itself where nothing was better.
    """
    steps = len(start.sigmas) - 1
    budget = objective.rollouts.budget
    stop = budget.spent + allowance
    run_cost = len(start.rollout.calls) * objective.share
    best = start
    while steps > 1:
        columns = affordable_columns(steps, (stop - budget.spent) / run_cost * steps)
        if columns == 0:
            break
        best = objective.with_outputs(best)
        refined, _ = descend(objective, best, shifts_around(best.sigmas, columns, floor), stop, run_cost)
        gain = np.log(best.error / refined.error)
        best = refined
        if gain < _CONVERGED:
            break
    return best


def affordable_columns(steps: int, calls: float) -> int:
    """Most columns, of all the inner sigmas or a few hats, whose Jacobian and two runs fit into `calls`; 0 for none."""
    for columns in range(min(steps - 1, 12 if steps > 12 else steps - 1), 0, -1):
        if columns < min(3, steps - 1):
            break
        if jacobian_calls(steps, columns) + 2 * steps <= calls and jacobian_calls(steps, columns) <= 0.7 * calls:
            return columns
    return 0


def descend(
    objective: Objective, start: Trial, coordinates: Coordinates, stop: float, run_cost: float
) -> tuple[Trial, Array]:
    """(best trial, its z) of one Jacobian, then damped steps with Broyden updates until they stall, fail or the
    allowance ends."""
    slope = coordinates.slope(objective, start)
    best, at, damping, failures, stalled = start, np.zeros(slope.shape[2]), 0.01, 0, 0
    near = near_square(start.residual.square().sum(dim=1), coordinates.near_share)
    least = _value(start, start, coordinates.near_share)
    budget = objective.rollouts.budget
    while budget.spent + run_cost <= stop and failures < 3 and stalled < 2:
        move = coordinates.bounded_step(at, best.residual, slope, damping, near)
        if np.abs(move).max(initial=0.0) < 1e-4:
            break
        target = at + move
        trial = coordinates.trial(objective, target, best, "refined from " + start.origin)
        miss = trial.residual - best.residual - slope @ torch.from_numpy(move)
        slope = slope + miss[:, :, None] * torch.from_numpy(move / (move @ move))
        value = _value(trial, start, coordinates.near_share)
        if value < least:
            stalled = stalled + 1 if least - value < _STALL else 0
            best, least, at, damping, failures = trial, value, target, max(damping / 4.0, 1e-4), 0
        else:
            damping, failures = damping * 6.0, failures + 1
    return best, at


def _value(trial: Trial, start: Trial, share: float) -> float:
    """Mean log distance that is minimised, by the exact errors of a trial and of the start."""
    return mean_log(trial.errors.square(), near_square(start.errors.square(), share))
