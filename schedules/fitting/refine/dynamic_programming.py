"""The path over noise levels with the smallest sum of costs of its steps, for every step count in one pass.

`best_paths` minimises over levels 0 = p_1 < p_2 < ... < p_K, with e the mean squared local errors of local_errors.py
and w the propagation weights,

    e(p_1 -> p_2) w(p_2)**2 + sum_{m=2}^{K-1} e(p_m -> p_{m+1} | p_{m-1}) w(p_{m+1})**2 + e(p_K -> sigma 0)

where a step depends on the level before it, the history of the multistep rule. `cheapest_paths` minimises, from the
first node p_1 to the last p_{K+1},

    sum_{m=1}^{K} discount**(m-1) cost(p_m, p_{m+1})
"""

from __future__ import annotations

import numpy as np

from ...core.noise_space import Array
from ..teacher.local_errors import LocalErrors


def propagation_weights(sigmas: Array, kappa: Array | float) -> Array:
    """How much an error made on arriving at each level grows until the end.

    An error e(sigma) on the trajectory obeys de/dlog(sigma) = (1 - kappa) e, where kappa is the model output's gain,
    <e, D(x + e) - D(x)> / <e, e>: 0 where the output ignores the error, 1 where it carries it on.

    Args:
        sigmas: (M,) decreasing.
        kappa: (M,) gains at the levels, or one for all.
    Returns:
        (M,) weights relative to the last level.
    """
    rate = 1.0 - np.broadcast_to(np.asarray(kappa, dtype=np.float64), sigmas.shape)
    steps = -0.5 * (rate[1:] + rate[:-1]) * np.diff(np.log(sigmas))
    return np.exp(-np.append(np.cumsum(steps[::-1])[::-1], 0.0))


def best_paths(errors: LocalErrors, weights: Array, max_steps: int) -> dict[int, list[int]]:
    """Exact dynamic programming over (previous level, current level).

    Args:
        errors: local errors of a rule with one output of history.
        weights: (M,) propagation weights.
        max_steps: every step count from 1 to this is solved.
    Returns:
        steps -> level indices of the positive sigmas, [0] == 0; the last step goes to sigma = 0 at weight 1. Counts
        that the grid cannot hold are left out.
    """
    count = len(errors.sigmas)
    square = weights**2
    terminal = errors.first[:, -1]
    paths = {1: [0]}
    cost = np.full((count, count), np.inf)  # [i, k]: best sum of a path that ends ... i, k
    cost[0] = errors.first[0, :-1] * square
    parents: list[np.ndarray] = []
    for steps in range(2, min(max_steps, count) + 1):
        i, k = np.unravel_index(np.argmin(cost + terminal[None, :]), cost.shape)
        if not np.isfinite(cost[i, k]):
            break
        path = [int(k), int(i)]
        for parent in reversed(parents):
            path.append(int(parent[path[-1], path[-2]]))
        paths[steps] = path[::-1]
        ahead = cost[:, :, None] + errors.pair * square  # [h, i, k]
        parent = np.argmin(ahead, axis=0)
        parents.append(parent)
        cost = np.take_along_axis(ahead, parent[None], axis=0)[0]
    return paths


def cheapest_paths(cost: Array, max_steps: int, discount: float = 1.0) -> dict[int, list[int]]:
    """Node lists from the first node to the last with the smallest cost, for every step count.

    Args:
        cost: (N, N), cost[i, j] of one step from node i to node j > i; the rest is ignored. May be negative.
        max_steps: every step count from 1 to this is solved, if there are nodes enough.
        discount: factor of everything that comes after a step, so that step m of a path weighs discount**m.
    Returns:
        steps -> steps + 1 node numbers.
    """
    count = len(cost)
    steps_only = np.where(np.triu(np.ones((count, count), dtype=bool), 1), cost, np.inf)
    ahead = steps_only[:, -1]  # cost of reaching the last node in the steps that are left
    following: list[np.ndarray] = [np.full(count, count - 1)]
    for _ in range(1, min(max_steps, count - 1)):
        total = steps_only + discount * ahead[None, :]
        following.append(np.argmin(total, axis=1))
        ahead = total.min(axis=1)
    paths = {}
    for steps in range(1, len(following) + 1):
        path = [0]
        for left in range(steps - 1, -1, -1):
            path.append(int(following[left][path[-1]]))
        paths[steps] = path
    return paths
