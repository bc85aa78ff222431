"""Recorded runs hold what the model saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher, power_law
from sigmasmith.benchmarks.published.trajectory import CountedDenoiser, ending_in_zero, record
from sigmasmith.schedules.hosting.named_curves import CURVES


@pytest.mark.parametrize("sampler", ["euler", "ipndm", "dpmpp_2m"])
def test_a_recorded_run_holds_every_state_and_derivative(sampler):
    teacher = GaussianTeacher(torch.zeros(5).double(), power_law(5, 1.0))
    model = CountedDenoiser(lambda x, sigma: teacher(x, sigma))
    sigmas = CURVES["karras"](200, 0.03, 14.6)
    x = 14.6 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()
    run = record(model, x, sigmas[:-1], sampler)
    assert model.rows == 3 * 199
    assert run.states.shape == (200, 3, 5)
    assert run.derivatives.shape == (199, 3, 5)
    exact = torch.stack([teacher.at(x, 14.6, float(sigma)) for sigma in sigmas[:-1]])
    assert np.allclose(run.states, exact, atol=0.1)
    steps = np.diff(run.sigmas)[:, None, None]
    assert np.allclose(np.diff(run.states, axis=0), steps * run.derivatives, atol=0.15)


def test_the_last_level_gives_way_to_zero():
    assert ending_in_zero(np.array([3.0, 1.0, 0.1])).tolist() == [3.0, 1.0, 0.0]
