"""Single steps of every kind, against k-diffusion and against exact solutions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.calls import sample_euler
from sigmasmith.schedules.variance.control import Control
from sigmasmith.schedules.variance.controlled import RunNoise, sample_controlled
from sigmasmith.schedules.variance.eta_curves import constant
from sigmasmith.schedules.variance.noise import NoiseSource
from sigmasmith.schedules.variance.steppers import NoisyStepper, OdeStepper, SdeStepper

SIGMAS = CURVES["karras"](9, 0.03, 14.6)


@pytest.fixture
def x() -> torch.Tensor:
    return 14.6 * torch.randn(3, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mixture():
    return random_mixture(4, power_law(32, 1.0))


def run(stepper, model, x, sigmas, eta: float, flow: bool = False, seed: int = 6) -> torch.Tensor:
    rows = NoiseSource("path", (seed,)).start(x, 0, flow=flow)
    control = Control(eta=constant(eta))
    return sample_controlled(
        model, x, sigmas, stepper=stepper, control=control, noise=RunNoise(rows, rows.fresh), flow=flow
    )


def path_noise(x: torch.Tensor, seed: int = 6):
    return NoiseSource("path", (seed,)).start(x, 0, flow=False)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_euler_with_noise_after_it_is_euler_ancestral(k_diffusion_sampling, mixture, x, eta):
    theirs = k_diffusion_sampling.sample_euler_ancestral(
        mixture, x, SIGMAS, eta=eta, noise_sampler=path_noise(x), disable=True
    )
    ours = run(OdeStepper(sample_euler, False), mixture, x, SIGMAS, eta)
    assert torch.allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("name", ["sample_euler_ancestral", "sample_dpm_2_ancestral", "sample_dpmpp_2s_ancestral"])
def test_a_sampler_without_memory_is_bit_equal_step_by_step(k_diffusion_sampling, mixture, x, name):
    theirs = getattr(k_diffusion_sampling, name)
    whole = theirs(mixture, x, SIGMAS, eta=0.6, noise_sampler=path_noise(x), disable=True)
    assert torch.equal(whole, run(NoisyStepper(theirs), mixture, x, SIGMAS, 0.6))


@pytest.mark.parametrize("name", ["sample_euler", "sample_heun", "sample_dpm_2"])
def test_a_deterministic_one_is_bit_equal_with_eta_0(k_diffusion_sampling, mixture, x, name):
    theirs = getattr(k_diffusion_sampling, name)
    whole = theirs(mixture, x, SIGMAS, disable=True)
    assert torch.equal(whole, run(OdeStepper(theirs, False), mixture, x, SIGMAS, 0.0))


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_the_own_2m_is_k_diffusions_dpmpp_2m_sde(k_diffusion_sampling, mixture, x, eta):
    theirs = k_diffusion_sampling.sample_dpmpp_2m_sde(
        mixture, x, SIGMAS, eta=eta, noise_sampler=path_noise(x), solver_type="midpoint", disable=True
    )
    assert torch.allclose(run(SdeStepper(False), mixture, x, SIGMAS, eta), theirs, atol=2e-5)


def test_the_own_2m_without_noise_is_k_diffusions_dpmpp_2m(k_diffusion_sampling, mixture, x):
    theirs = k_diffusion_sampling.sample_dpmpp_2m(mixture, x, SIGMAS, disable=True)
    assert torch.allclose(run(SdeStepper(False), mixture, x, SIGMAS, 0.0), theirs, atol=2e-5)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.slow
def test_the_own_2m_is_of_the_second_order_without_noise(flow):
    mixture = random_mixture(4, power_law(32, 1.0), flow=flow)
    high, low = (0.9, 0.05) if flow else (8.0, 0.05)
    x = high * torch.randn(3, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def end(stepper, steps: int) -> torch.Tensor:
        return run(stepper, mixture, x, torch.as_tensor(np.geomspace(high, low, steps + 1)), 0.0, flow)

    exact = end(SdeStepper(flow), 4096)
    counts = (32, 64, 128, 256)
    errors = [float((end(SdeStepper(flow), steps) - exact).square().mean().sqrt()) for steps in counts]
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-2.0, abs=0.2)
    assert math.log2(errors[-2] / errors[-1]) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("flow", [False, True])
def test_the_own_2m_starts_at_a_flow_sigma_of_1_and_forgets(flow):
    mixture = random_mixture(4, power_law(32, 1.0), flow=flow)
    top = 1.0 if flow else 14.6
    sigmas = CURVES["karras"](6, 0.03, top)
    x = top * torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    stepper = SdeStepper(flow)
    first = run(stepper, mixture, x, sigmas, 1.0, flow)
    assert torch.isfinite(first).all()
    stepper.forget()
    assert torch.equal(first, run(stepper, mixture, x, sigmas, 1.0, flow))
