"""GITS: the step schedule from the geometry of recorded trajectories.

Source: Chen et al. 2024, On the Trajectory Regularity of ODE-based Diffusion Sampling, arXiv:2405.11326, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange, shift_flow, shift_of_range
from ...schedules.fitting.refine.dynamic_programming import cheapest_paths
from ...schedules.fitting.refine.gits import COEFFICIENT, euler_costs
from ...schedules.hosting.named_curves import CURVES
from .trajectory import CountedDenoiser, ending_in_zero, record

# The authors' defaults: nodes of the teacher, and its solver.
NODES, TEACHER = 61, "ipndm"


def gits_schedules(
    model: CountedDenoiser, noise: Tensor, sigma_range: SigmaRange, steps: Sequence[int]
) -> dict[int, Tensor]:
    """Steps -> sigmas, all from one teacher of NODES - 1 evaluations per sample.

    Differs: the teacher's nodes are even in sigma**(1/7) on noise-prediction models, as the authors have them, and even
    in the model's own time on flow models, which they do not treat; no analytical first step.
    """
    nodes = teacher_nodes(sigma_range)
    trajectory = record(model, noise * sigma_range.sigma_max, nodes, TEACHER)
    costs = euler_costs(trajectory.sigmas, trajectory.states, trajectory.derivatives)
    paths = cheapest_paths(costs, max(steps), COEFFICIENT)
    return {count: ending_in_zero(trajectory.sigmas[paths[count]]) for count in steps}


def teacher_nodes(sigma_range: SigmaRange) -> Tensor:
    """(NODES,) levels from sigma_max to sigma_min."""
    if sigma_range.flow:
        shift = shift_of_range(sigma_range.sigma_min)
        return torch.from_numpy(shift_flow(np.linspace(1.0, 1e-3, NODES), shift)).float()
    return CURVES["karras"](NODES, sigma_range.sigma_min, sigma_range.sigma_max)[:-1]
