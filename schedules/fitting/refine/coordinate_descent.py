"""Refinement of a schedule one sigma at a time, for samplers whose end states jump when a sigma moves a little.

Minimised over the inner sigmas, with x_b the student's end state of row b and T_b the teacher's:

    f(sigma) = mean_b log ||x_b(sigma) - T_b||

by trying, for one k after another,

    log sigma_k <- max(log sigma_k +- reach_k * gap_k, log sigma_min),    gap_k to the nearer neighbour in log sigma

Samplers that switch their order at a threshold, round their noise levels to a table, or change models half way have no
slope for Gauss-Newton to follow. A move is kept where the error falls; its reach grows on success and halves on
failure. The sigmas at which the sampler's steps are worst come first.

Source: compass search, Kolda, Lewis and Torczon 2003, SIAM Review 45, section 3; the order is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ...core.noise_space import Array
from ...core.sigmas import finish_sigmas
from ..objective import Objective, Trial
from ..teacher.local_errors import LocalErrors

# Reach in units of the gap to the nearer neighbour: at first, at most (neighbours that meet half way stay ordered), and
# where it ends.
_FIRST, _MOST, _LAST = 0.3, 0.45, 0.05


def descend_by_coordinates(
    objective: Objective, start: Trial, floor: float, allowance: float, order: Sequence[int] | None = None
) -> Trial:
    """The best schedule found near `start` for at most `allowance` evaluations per sample.

    Args:
        floor: the model's sigma_min.
        allowance: a move is tried only where all that it can cost still fits.
        order: inner sigmas by number, 1 .. steps - 1, the most promising first; default: as they come.
    Returns:
        the best trial, `start` itself where nothing was better.
    """
    budget, best = objective.rollouts.budget, start
    stop = budget.spent + allowance
    numbers = list(order) if order is not None else list(range(1, start.steps))
    if not best.rollout.reusable:
        if budget.spent + run_cost(objective, start) > stop:
            return start
        best = objective.with_outputs(best)
    reach, side = dict.fromkeys(numbers, _FIRST), dict.fromkeys(numbers, 1.0)
    while any(length >= _LAST for length in reach.values()):
        for number in [number for number in numbers if reach[number] >= _LAST]:
            for direction in (side[number], -side[number]):
                sigmas = moved(best.sigmas, number, direction * reach[number], floor)
                if sigmas is None:
                    continue
                if budget.spent + run_cost(objective, best, number) > stop:
                    return best
                trial = objective(sigmas, best, origin="moved sigma by sigma from " + start.origin)
                if trial.error < best.error:
                    best, side[number] = trial, direction
                    reach[number] = min(1.5 * reach[number], _MOST)
                    break
            else:
                reach[number] *= 0.5
    return best


def moved(sigmas: Tensor, number: int, share: float, floor: float) -> Tensor | None:
    """The list with one inner sigma moved by a share of the gap to its nearer neighbour, up where positive.

    Nothing where it stays as it is, at the floor.
    """
    log = np.log(sigmas[:-1].double().numpy())
    gaps = -np.diff(log[number - 1 : number + 2])
    changed = max(log[number] + share * gaps.min(), np.log(floor))
    if abs(changed - log[number]) < 1e-6 or changed >= log[number - 1]:
        return None
    log[number] = changed
    positive = np.exp(log)
    positive[0] = float(sigmas[0])
    return finish_sigmas(positive)


def run_cost(objective: Objective, trial: Trial, number: int = 0) -> float:
    """Evaluations per sample that a run costs at most when sigma `number` of the trial moves; 0 moves them all.

    The step before the sigma may call the model there too.
    """
    calls = len(trial.rollout.calls)
    if number > 1 and objective.rollouts.reuse:
        calls = min(calls, -(-calls // trial.steps) * (trial.steps - number + 1))
    return calls * objective.share


def by_local_error(errors: LocalErrors, weights: Array, sigmas: Tensor) -> list[int]:
    """Numbers of the inner sigmas, those between the steps of the largest weighted local errors first."""
    logs = -np.log(errors.sigmas)
    wanted = -np.log(np.clip(sigmas[:-1].double().numpy(), errors.sigmas[-1], errors.sigmas[0]))
    path = np.searchsorted(0.5 * (logs[1:] + logs[:-1]), wanted)
    costs = np.zeros(len(path))  # of the step that leads to each sigma
    for at in range(1, len(path)):
        i, k = path[at - 1], path[at]
        error = errors.first[i, k] if at == 1 else errors.pair[path[at - 2], i, k]
        costs[at] = float(error) * weights[k] ** 2 if np.isfinite(error) else 0.0
    around = costs + np.append(costs[1:], errors.first[path[-1], -1])
    return sorted(range(1, len(path)), key=lambda number: -around[number])
