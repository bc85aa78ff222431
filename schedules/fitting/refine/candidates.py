"""Schedules to start the search from: optima of costs that need no model call, measured ones among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ...core.noise_space import Array, SigmaRange
from ...core.sigmas import finish_sigmas
from ..objective import Trial
from ..rollouts import take_rows
from ..teacher.local_errors import DenseTeacher, LocalErrors
from .dmn import dmn_levels
from .dynamic_programming import best_paths, cheapest_paths, propagation_weights
from .gits import COEFFICIENT, euler_costs

# Width, as a share of the teacher's levels, of the kernel that smooths measured gains.
_WIDTH = 0.08


def dp_schedules(errors: LocalErrors, kappa: Array | float, steps: tuple[int, ...]) -> dict[int, Tensor]:
    """steps -> sigma list with the smallest weighted local error, for every count that the grid holds."""
    paths = best_paths(errors, propagation_weights(errors.sigmas, kappa), max(steps))
    return {count: finish_sigmas(errors.sigmas[paths[count]]) for count in steps if count in paths}


def gits_candidates(teacher: DenseTeacher, steps: Sequence[int]) -> dict[int, Tensor]:
    """steps -> sigma list with the smallest sum of GITS's costs along the teacher, where its levels are enough.

    Differs: sigma = 0, where every rule's step returns the model's output, is the last node, and the chord ends there;
        as published the nodes end at sigma_min, and 0 takes its place.
    """
    derivatives = (teacher.states - teacher.outputs) / teacher.sigmas[:, None, None]
    states = np.append(teacher.states, teacher.end[None], axis=0)
    costs = euler_costs(np.append(teacher.sigmas, 0.0), states, derivatives)
    paths = cheapest_paths(costs, max(steps, default=1), COEFFICIENT)
    return {count: finish_sigmas(teacher.sigmas[paths[count][:-1]]) for count in steps if count in paths}


def dmn_candidates(
    sigma_range: SigmaRange,
    steps: Sequence[int],
    cost: Callable[[Tensor], float],
    check: Callable[[], None] = lambda: None,
) -> dict[int, Tensor]:
    """steps -> the sigma list of DMN's bound, for pixels or for latents: of the two the one of the smaller `cost`.

    Args:
        check: called all along; what it raises ends the search.
    """
    both = {count: [finish_sigmas(dmn_levels(sigma_range, count, power, check)) for power in (1, 2)] for count in steps}
    return {count: min(made, key=cost) for count, made in both.items()}


def path_cost(errors: LocalErrors, weights: Array, sigmas: Tensor) -> float:
    """Estimated squared error of any schedule, its sigmas taken at the nearest levels of the table."""
    logs = -np.log(errors.sigmas)
    wanted = -np.log(np.clip(sigmas[:-1].double().numpy(), errors.sigmas[-1], errors.sigmas[0]))
    middle = 0.5 * (logs[1:] + logs[:-1])
    path = np.unique(np.searchsorted(middle, wanted))
    cost = float(errors.first[path[-1], -1] + errors.skipped[path[0]] * weights[path[0]] ** 2)
    for at, (i, k) in enumerate(pairwise(path)):
        error = errors.first[i, k] if at == 0 else errors.pair[path[at - 1], i, k]
        cost += float(error * weights[k] ** 2)
    return cost


def measured_gains(trials: list[Trial], teacher: DenseTeacher, rows: slice) -> Array:
    """Gains kappa at the teacher's levels, from what student runs did to their distance from the teacher.

    At every level that a student and the teacher share: kappa = <e, D(x + e) - D(x)> / <e, e> for their difference e,
    each sample weighted to one scale. Smoothed over levels, with a weak pull to 0.75 where nothing was measured.

    Args:
        trials: runs whose schedules lie on the teacher's levels (calls elsewhere are skipped).
        teacher: sketches of `rows` alone.
        rows: the search rows of the batch; runs may hold the whole batch.
    """
    logs = np.log(teacher.sigmas)
    above = np.full(len(logs), 0.75 * 0.05)
    below = np.full(len(logs), 0.05)
    spread = _WIDTH * len(logs)
    for trial in trials:
        for call in trial.rollout.calls[1:]:
            at = int(np.argmin(np.abs(logs - np.log(call.sigma))))
            if abs(logs[at] - np.log(call.sigma)) > 1e-5:
                continue
            e = take_rows(call.state, rows) - torch.from_numpy(teacher.states[at])
            moved = take_rows(call.output, rows) - torch.from_numpy(teacher.outputs[at])
            square = e.square().sum(dim=1)
            gain = (e * moved).sum(dim=1) / square.clamp_min(1e-30)
            kernel = np.exp(-0.5 * ((np.arange(len(logs)) - at) / spread) ** 2)
            above += kernel * float(gain.clamp(-2.0, 3.0).median())
            below += kernel
    return np.clip(above / below, -1.0, 2.0)
