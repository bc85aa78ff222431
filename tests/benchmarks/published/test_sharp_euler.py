"""SharpEuler on motions whose acceleration is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.benchmarks.published.sharp_euler import (
    RECORDED,
    quantile_sigmas,
    sharp_euler_schedules,
    step_density,
)
from sigmasmith.benchmarks.published.trajectory import CountedDenoiser, Trajectory
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas


def motion(levels: np.ndarray, velocity: np.ndarray) -> Trajectory:
    return Trajectory(levels, np.zeros((len(levels), 1, 1)), velocity[:, None, None])


def test_even_acceleration_gives_even_steps():
    levels = np.linspace(1.0, 0.0, 81)
    density = step_density(motion(levels, 3.0 * levels[:-1]))
    assert np.allclose(quantile_sigmas(levels, density, 8), np.linspace(1.0, 0.0, 9), atol=1e-6)


def test_uneven_recording_does_not_move_the_steps():
    levels = np.linspace(1.0, 0.0, 400) ** 2
    density = step_density(motion(levels, 3.0 * levels[:-1]))
    assert np.allclose(quantile_sigmas(levels, density, 8), np.linspace(1.0, 0.0, 9), atol=1e-6)


def test_steps_follow_the_square_root_of_the_acceleration():
    # Velocity t**3 / 3, acceleration t**2, density t: equal masses of t from 0 to 1 lie between square roots.
    levels = np.linspace(1.0, 0.0, 2001)
    density = step_density(motion(levels, levels[:-1] ** 3 / 3))
    assert np.allclose(quantile_sigmas(levels, density, 6), np.sqrt(np.linspace(1.0, 0.0, 7)), atol=5e-3)


def test_a_row_counts_by_its_profile_not_by_its_size():
    levels = np.linspace(1.0, 0.0, 101)
    early, late = levels[:-1] ** 4, (1 - levels[:-1]) ** 4
    both = Trajectory(levels, np.zeros((101, 2, 1)), np.stack([1000 * early, late], axis=1)[..., None])
    middle = float(quantile_sigmas(levels, step_density(both), 2)[1])
    assert middle == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("flow", [False, True])
def test_schedules_come_from_one_recording(flow):
    known = SigmaRange(0.003, 1.0, flow=True) if flow else SigmaRange(0.0292, 14.6146)
    model = CountedDenoiser(random_mixture(1, power_law(12, 1.2), flow=flow))
    noise = torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    found = sharp_euler_schedules(model, noise, known, (4, 9))
    assert model.rows == 6 * RECORDED
    for steps, sigmas in found.items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max, rel=1e-3)
