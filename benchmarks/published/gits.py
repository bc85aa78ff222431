"""GITS: the step schedule from the geometry of recorded trajectories.

Source: Chen et al. 2024, On the Trajectory Regularity of ODE-based Diffusion Sampling, arXiv:2405.11326, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...schedules.curves import CURVES
from ...schedules.noise_space import Array, SigmaRange, shift_flow, shift_of_range
from .trajectory import CountedModel, Trajectory, cheapest_paths, ending_in_zero, record

# The authors' defaults: nodes of the teacher, its solver, and what later steps weigh.
NODES, TEACHER, COEFFICIENT = 61, "ipndm", 1.15


def gits_schedules(
    model: CountedModel, noise: Tensor, sigma_range: SigmaRange, steps: Sequence[int], coefficient: float = COEFFICIENT
) -> dict[int, Tensor]:
    """Steps -> sigmas, all from one teacher of NODES - 1 evaluations per sample.

    Differs: the teacher's nodes are even in sigma**(1/7) on noise-prediction models, as the authors have them, and even
    in the model's own time on flow models, which they do not treat; no analytical first step.
    """
    nodes = teacher_nodes(sigma_range)
    trajectory = record(model, noise * sigma_range.sigma_max, nodes, TEACHER)
    paths = cheapest_paths(euler_costs(trajectory), max(steps), coefficient)
    return {count: ending_in_zero(trajectory.sigmas[paths[count]]) for count in steps}


def teacher_nodes(sigma_range: SigmaRange) -> Tensor:
    """(NODES,) levels from sigma_max to sigma_min."""
    if sigma_range.flow:
        shift = shift_of_range(sigma_range.sigma_min)
        return torch.from_numpy(shift_flow(np.linspace(1.0, 1e-3, NODES), shift)).float()
    return CURVES["karras"](NODES, sigma_range.sigma_min, sigma_range.sigma_max)[:-1]


def euler_costs(trajectory: Trajectory) -> Array:
    """(N + 1, N + 1) cost of an Euler step between nodes i < j of the trajectory: how much farther from the chord
    between the ends it lands than the trajectory is at j, mean over rows. Negative where it lands nearer."""
    states, sigmas = trajectory.states, trajectory.sigmas
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
        costs[i, i + 1 :] = from_chord(states[i] + ahead * trajectory.derivatives[i]) - own[i + 1 :]
    return costs
