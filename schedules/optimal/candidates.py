"""Schedules to start the search from: exact optima of model-free costs along the teacher, measured costs among them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..noise_space import Array
from ..sigmas import finish_sigmas
from .dynamic_programming import best_paths, propagation_weights
from .local_errors import DenseTeacher, LocalErrors
from .objective import Trial
from .rollouts import take_rows

# Width, as a share of the teacher's levels, of the kernel that smooths measured gains.
_WIDTH = 0.08


def dp_schedules(errors: LocalErrors, kappa: Array | float, steps: tuple[int, ...]) -> dict[int, Tensor]:
    """steps -> sigma list with the smallest weighted local error, for every count that the grid holds."""
    paths = best_paths(errors, propagation_weights(errors.sigmas, kappa), max(steps))
    return {count: finish_sigmas(errors.sigmas[paths[count]]) for count in steps if count in paths}


def path_cost(errors: LocalErrors, weights: Array, sigmas: Tensor) -> float:
    """Estimated squared error of any schedule, its sigmas taken at the nearest levels of the table."""
    logs = -np.log(errors.sigmas)
    wanted = -np.log(np.clip(sigmas[:-1].double().numpy(), errors.sigmas[-1], errors.sigmas[0]))
    middle = 0.5 * (logs[1:] + logs[:-1])
    path = np.unique(np.searchsorted(middle, wanted))
    cost = float(errors.first[path[-1], -1])
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
