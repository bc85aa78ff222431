"""The analytic models are what they say: exact trajectories, consistent coordinates, independent rows."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.analytic import (
    GaussianTeacher,
    MixtureDenoiser,
    power_law,
    random_mixture,
)
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler


@pytest.mark.parametrize("flow", [False, True])
def test_heun_reaches_the_exact_end_of_a_gaussian_trajectory(flow):
    draw = torch.Generator().manual_seed(0)
    mean = torch.randn(6, generator=draw, dtype=torch.float64)
    teacher = GaussianTeacher(mean, power_law(6, 1.5), flow)
    low, high = (0.003, 1.0) if flow else (0.03, 14.6)
    start = high * torch.randn(4, 6, generator=draw, dtype=torch.float64)
    sigmas = CURVES["tangent"](400, low, high, flow=flow).double()
    end = own_sampler("heun")(teacher, start, sigmas)
    assert torch.allclose(end, teacher.at(start, high, 0.0), atol=0.02)
    between = teacher.at(start, high, 0.5 * high)
    assert torch.allclose(teacher.at(between, 0.5 * high, 0.0), teacher.at(start, high, 0.0))


@pytest.mark.parametrize("flow", [False, True])
def test_a_mixture_of_one_mode_is_the_gaussian(flow):
    mean, variance = torch.arange(5).double(), power_law(5, 1.0)
    mixture = MixtureDenoiser(mean[None], variance[None], torch.zeros(1, dtype=torch.long), flow)
    x, sigma = torch.linspace(-2, 2, 15).double().reshape(3, 5), torch.tensor([1.0, 0.4, 0.01])
    assert torch.allclose(mixture(x, sigma), GaussianTeacher(mean, variance, flow)(x, sigma))


def test_flow_and_ve_denoisers_agree_at_the_same_signal_to_noise_ratio():
    ve, flow = (random_mixture(3, power_law(8, 1.2), flow=kind) for kind in (False, True))
    x, sigma = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).double(), torch.full((4,), 0.3)
    assert torch.allclose(flow(x, sigma), ve(x / 0.7, sigma / 0.7), atol=1e-6)


def test_rows_do_not_depend_on_each_other():
    model = random_mixture(1, power_law(8, 1.2), cfg=4.0)
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).double()
    sigma, labels = torch.tensor([10.0, 1.0, 1.0, 0.1]), torch.tensor([0, 1, 2, 3])
    together = model(x, sigma, labels=labels)
    alone = torch.cat([model(x[i : i + 1], sigma[i : i + 1], labels=labels[i : i + 1]) for i in range(4)])
    assert torch.allclose(together, alone)


def test_guidance_extrapolates_from_unconditional_to_conditional():
    plain, guided = (random_mixture(1, power_law(8, 1.2), cfg=cfg) for cfg in (1.0, 3.0))
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).double()
    sigma, labels = torch.full((4,), 2.0), torch.tensor([0, 1, 2, 3])
    whole, own = plain(x, sigma), plain(x, sigma, labels=labels)
    assert torch.allclose(guided(x, sigma, labels=labels), whole + 3.0 * (own - whole))


def test_spectra_have_unit_variance_on_average():
    assert float(power_law(64, 1.4).mean()) == pytest.approx(1.0)
