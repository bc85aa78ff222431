"""GITS: what an Euler step costs by the geometry of a known trajectory.

The path over nodes that `cheapest_paths` is given these costs for minimises

    sum_m COEFFICIENT**(m-1) c(p_m, p_{m+1}),    c(i, j) = mean_b [dist(x_i + (sigma_j - sigma_i) d_i) - dist(x_j)]

with dist the distance from the chord between the trajectory's ends, x_i its states and d_i their derivatives.

Source: Chen et al. 2024, On the Trajectory Regularity of ODE-based Diffusion Sampling, arXiv:2405.11326, section 4.
"""

from __future__ import annotations

import numpy as np

from ...core.noise_space import Array

# What the steps after one weigh, each against the one before: the authors' default.
COEFFICIENT = 1.15


def euler_costs(sigmas: Array, states: Array, derivatives: Array) -> Array:
    """Cost of an Euler step between any two nodes of a trajectory: how much farther from the chord between the
    trajectory's ends it lands than the trajectory is there.

    Args:
        sigmas: (N + 1,) node levels in the model's own noise std, decreasing; the last may be 0.
        states: (N + 1, B, n) states at them.
        derivatives: (N, B, n) d state / d sigma = (state - denoised) / sigma at all but the last.
    Returns:
        (N + 1, N + 1) [i, j] from node i to node j > i, in units of the states, mean over rows. Negative where the step
        lands nearer; inf where j <= i.
    """
    start, chord = states[0], states[-1] - states[0]
    chord = chord / np.linalg.norm(chord, axis=-1, keepdims=True)

    def from_chord(points: Array) -> Array:
        away = points - start
        along = (away * chord).sum(axis=-1, keepdims=True)
        return np.linalg.norm(away - along * chord, axis=-1).mean(axis=-1)

    own = from_chord(states)
    own[-1] = 0.0  # not a rounding error's length: the chord ends there
    costs = np.full((len(sigmas), len(sigmas)), np.inf)
    for i in range(len(sigmas) - 1):
        ahead = sigmas[i + 1 :, None, None] - sigmas[i]
        costs[i, i + 1 :] = from_chord(states[i] + ahead * derivatives[i]) - own[i + 1 :]
    return costs
