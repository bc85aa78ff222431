"""GITS's costs on trajectories whose geometry is known."""

from __future__ import annotations

import numpy as np
import pytest
from sigmasmith.schedules.fitting.refine.dynamic_programming import cheapest_paths
from sigmasmith.schedules.fitting.refine.gits import COEFFICIENT, euler_costs


def bent(sigmas: np.ndarray, bend: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(sigmas, states, derivatives) of one row in the plane: straight down one direction to node `bend`, then straight
    down another."""
    first, second = np.array([1.0, 0.3]), np.array([1.0, -0.8])
    derivatives = np.array([first if i < bend else second for i in range(len(sigmas) - 1)])
    states = np.cumsum(np.append([[0.0, 0.0]], np.diff(sigmas)[:, None] * derivatives, axis=0), axis=0)
    return sigmas, states[:, None], derivatives[:, None]


def test_a_straight_trajectory_costs_nothing():
    costs = euler_costs(*bent(np.linspace(5.0, 0.1, 12), bend=12))
    assert np.abs(costs[np.triu_indices(12, 1)]).max() < 1e-12


@pytest.mark.parametrize("bend", [3, 7, 10])
@pytest.mark.parametrize("last", [0.1, 0.0])
def test_two_steps_meet_where_the_trajectory_bends(bend, last):
    costs = euler_costs(*bent(np.linspace(5.0, last, 12), bend))
    assert cheapest_paths(costs, 2, COEFFICIENT)[2] == [0, bend, 11]
    assert costs[0, bend] == pytest.approx(0.0, abs=1e-12)


def test_a_cost_is_the_distance_from_the_chord_beyond_the_trajectorys_own():
    # Ends (0, 0) and (2, 0); the node between is at (1, 1) and its slope points away to (2, 1.5).
    states = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])[:, None]
    derivatives = np.array([[-1.0, -0.25], [-1.0, -0.5]])[:, None]
    costs = euler_costs(np.array([2.0, 1.0, 0.0]), states, derivatives)
    assert costs[0, 1] == pytest.approx(0.25 - 1.0)
    assert costs[0, 2] == pytest.approx(0.5)
    assert costs[1, 2] == pytest.approx(1.5)
    assert np.isinf(costs[np.tril_indices(3)]).all()


def test_a_cost_is_the_mean_over_rows():
    sigmas, *one = bent(np.linspace(5.0, 0.1, 8), 3)
    _, *other = bent(sigmas, 6)
    apart = [euler_costs(sigmas, *row) for row in (one, other)]
    together = euler_costs(sigmas, *(np.concatenate(pair, axis=1) for pair in zip(one, other)))
    upper = np.triu_indices(8, 1)
    assert np.allclose(together[upper], 0.5 * (apart[0] + apart[1])[upper])
