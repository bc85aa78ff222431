"""GITS on trajectories whose geometry is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.benchmarks.published.gits import NODES, euler_costs, gits_schedules, teacher_nodes
from sigmasmith.benchmarks.published.trajectory import CountedModel, Trajectory, cheapest_paths
from sigmasmith.schedules.noise_space import SigmaRange
from sigmasmith.schedules.sigmas import check_sigmas


def bent(sigmas: np.ndarray, bend: int) -> Trajectory:
    """One row in the plane: straight down one direction to node `bend`, then straight down another."""
    first, second = np.array([1.0, 0.3]), np.array([1.0, -0.8])
    derivatives = np.array([first if i < bend else second for i in range(len(sigmas) - 1)])
    states = np.cumsum(np.append([[0.0, 0.0]], np.diff(sigmas)[:, None] * derivatives, axis=0), axis=0)
    return Trajectory(sigmas, states[:, None], derivatives[:, None])


def test_a_straight_trajectory_costs_nothing():
    costs = euler_costs(bent(np.linspace(5.0, 0.1, 12), bend=12))
    assert np.abs(costs[np.triu_indices(12, 1)]).max() < 1e-12


@pytest.mark.parametrize("bend", [3, 7, 10])
def test_two_steps_meet_where_the_trajectory_bends(bend):
    costs = euler_costs(bent(np.linspace(5.0, 0.1, 12), bend))
    path = cheapest_paths(costs, 2, 1.15)[2]
    assert path == [0, bend, 11]
    assert costs[0, bend] == pytest.approx(0.0, abs=1e-12)


def test_a_cost_is_the_distance_from_the_chord_beyond_the_trajectorys_own():
    # Ends (0, 0) and (2, 0); the node between is at (1, 1) and its slope points away to (2, 1.5).
    states = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])[:, None]
    derivatives = np.array([[-1.0, -0.25], [-1.0, -0.5]])[:, None]
    costs = euler_costs(Trajectory(np.array([2.0, 1.0, 0.0]), states, derivatives))
    assert costs[0, 1] == pytest.approx(0.25 - 1.0)
    assert costs[0, 2] == pytest.approx(0.5)
    assert costs[1, 2] == pytest.approx(1.5)


@pytest.mark.parametrize("flow", [False, True])
def test_schedules_come_from_one_teacher(flow):
    known = SigmaRange(0.003, 1.0, flow=True) if flow else SigmaRange(0.0292, 14.6146)
    model = CountedModel(random_mixture(1, power_law(12, 1.2), flow=flow))
    nodes = teacher_nodes(known)
    assert len(nodes) == NODES
    assert float(nodes[-1]) == pytest.approx(known.sigma_min)
    found = gits_schedules(model, torch.randn(6, 12, generator=torch.Generator().manual_seed(0)), known, (4, 9))
    assert model.rows == 6 * (NODES - 1)
    for steps, sigmas in found.items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max)
        assert set(sigmas[:-1].tolist()) <= set(nodes.tolist())
