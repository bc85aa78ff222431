"""The bound of Align Your Steps on a Gaussian, where its integrand is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from sigmasmith.benchmarks.analytic import GaussianTeacher, power_law, random_mixture
from sigmasmith.benchmarks.published.ays import NODES, ays_schedules, klub_costs, squared_distances
from sigmasmith.benchmarks.published.trajectory import CountedDenoiser
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.refine.dynamic_programming import cheapest_paths

LOW, HIGH = 0.03, 14.6


def output(level: Any) -> Any:
    """|D| along a trajectory of a unit Gaussian, up to a factor: the cosine of the angle of signal and noise."""
    return 1.0 / np.sqrt(1.0 + level**2)


def integral(start: float, end: float) -> float:
    return quad(lambda r: (output(r) - output(start)) ** 2 / r**3, end, start, limit=200)[0]


def gaussian_costs(levels: np.ndarray) -> np.ndarray:
    return klub_costs(levels, squared_distances(output(levels)[:, None, None]), flow=False)


def test_costs_are_the_integrals_of_the_bound():
    levels = np.geomspace(HIGH, LOW, 400)
    costs = gaussian_costs(levels)
    for i, j in ((0, 399), (0, 120), (150, 300)):
        assert costs[i, j] == pytest.approx(integral(levels[i], levels[j]), rel=2e-2)


def test_the_best_middle_of_two_steps_is_that_of_the_continuous_problem():
    levels = np.geomspace(HIGH, LOW, 400)
    path = cheapest_paths(gaussian_costs(levels), 2)[2]
    best: Any = minimize_scalar(
        lambda log: integral(HIGH, np.exp(log)) + integral(np.exp(log), LOW),
        bounds=(np.log(LOW), np.log(HIGH)),
        method="bounded",
    )
    assert levels[path[1]] == pytest.approx(np.exp(best.x), rel=0.03)


def test_flow_levels_have_the_cost_of_the_same_signal_to_noise_ratio():
    levels = np.geomspace(HIGH, LOW, 50)
    distances = squared_distances(output(levels)[:, None, None])
    assert np.allclose(klub_costs(levels / (1 + levels), distances, True), klub_costs(levels, distances, False))
    at_one = klub_costs(np.array([1.0, 0.9, 0.5]), distances[:3, :3], True)
    assert np.isfinite(at_one).all()


def test_a_gaussians_distances_are_those_of_its_recorded_trajectory():
    teacher = GaussianTeacher(torch.zeros(3).double(), torch.ones(3).double())
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double() * HIGH
    levels = np.geomspace(HIGH, LOW, 6)
    outputs = np.stack([teacher(teacher.at(x, HIGH, s), torch.full((5,), s)).numpy() for s in levels])
    factor = float(x.square().sum(dim=1).mean()) / (1 + HIGH**2)
    assert np.allclose(squared_distances(outputs), factor * squared_distances(output(levels)[:, None, None]))


@pytest.mark.parametrize("flow", [False, True])
def test_schedules_come_from_one_teacher(flow):
    known = SigmaRange(0.003, 1.0, flow=True) if flow else SigmaRange(0.0292, 14.6146)
    model = CountedDenoiser(random_mixture(1, power_law(12, 1.2), flow=flow))
    found = ays_schedules(model, torch.randn(6, 12, generator=torch.Generator().manual_seed(0)), known, (4, 9))
    assert model.rows == 6 * NODES
    for steps, sigmas in found.items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max)
