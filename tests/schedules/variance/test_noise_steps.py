"""The formulas of one noisy step."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.variance.noise_steps import (
    churn_level,
    noisy_step,
    posterior_factor,
    raise_level,
    ve_level,
)

FORMS = ("ddim", "rectified", "sde")
pairs = st.tuples(st.floats(0.01, 0.999), st.floats(0.02, 0.98)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flow", [False, True])
@given(pair=pairs, eta=st.floats(0.0, 1.0))
def test_what_is_left_of_the_noise_and_the_new_noise_make_the_next_level(form, flow, pair, eta):
    sigma, after = pair if flow else (20.0 * pair[0], 20.0 * pair[1])
    step = noisy_step(sigma, after, eta, flow=flow, form=form)
    assert (step.scale * step.sigma_down) ** 2 + step.std**2 == pytest.approx(after**2, rel=1e-9)
    assert 0.0 <= step.sigma_down <= after * (1.0 + 1e-12)
    # The share of the image: 1 - sigma_down on flow models, 1 on VE ones.
    assert step.scale * (1.0 - step.sigma_down if flow else 1.0) == pytest.approx(1.0 - after if flow else 1.0)


@pytest.mark.parametrize("form", FORMS)
def test_eta_0_and_the_step_to_0_add_nothing_and_change_nothing(form):
    for flow in (False, True):
        for sigma, after, eta in ((0.8, 0.3, 0.0), (0.8, 0.0, 1.0), (1.0, 0.5, 0.0)):
            step = noisy_step(sigma, after, eta, flow=flow, form=form)
            assert (step.sigma_down, step.scale, step.std) == (after, 1.0, 0.0)


@given(pair=pairs, eta=st.floats(0.0, 1.0))
def test_on_ve_models_it_is_k_diffusions_ancestral_step(k_diffusion_sampling, pair, eta):
    down, up = k_diffusion_sampling.get_ancestral_step(pair[0], pair[1], eta)
    step = noisy_step(pair[0], pair[1], eta)
    assert (step.sigma_down, step.std) == pytest.approx((down, up), rel=1e-6, abs=1e-7)


@given(pair=pairs, eta=st.floats(0.0, 1.0))
def test_a_flow_step_is_the_ve_step_of_its_ve_levels(pair, eta):
    for form in ("ddim", "sde"):
        flow = noisy_step(pair[0], pair[1], eta, flow=True, form=form)
        ve = noisy_step(ve_level(pair[0]), ve_level(pair[1]), eta, form=form)
        assert flow.std == pytest.approx((1.0 - pair[1]) * ve.std, rel=1e-7, abs=1e-12)
        assert ve_level(flow.sigma_down) == pytest.approx(ve.sigma_down, rel=1e-7, abs=1e-12)


def test_from_pure_noise_a_flow_step_of_eta_1_keeps_none_of_it():
    step = noisy_step(1.0, 0.6, 1.0, flow=True)
    assert (step.sigma_down, step.scale, step.std) == pytest.approx((0.0, 0.4, 0.6))


@given(pair=pairs, share=st.floats(0.0, 1.0), data=st.floats(0.2, 3.0))
def test_the_posterior_lies_between_its_bounds_on_a_logarithmic_scale(pair, share, data):
    sigma, after = 20.0 * pair[0], 20.0 * pair[1]
    low = after**2 * (sigma**2 - after**2) / sigma**2
    high = (sigma**2 - after**2) * (data**2 + after**2) / (data**2 + sigma**2)
    assert noisy_step(sigma, after, 1.0).std ** 2 == pytest.approx(low, rel=1e-9)
    found = low * posterior_factor(sigma, after, share, sigma_data=data) ** 2
    assert found == pytest.approx(high**share * low ** (1.0 - share), rel=1e-9)
    assert found >= low * (1.0 - 1e-12)


def test_the_upper_bound_is_the_posterior_variance_of_gaussian_data():
    sigma, after, data = 2.0, 1.2, 0.7
    # x_after given x_sigma, both being x0 + noise along one diffusion: the conditional variance of a Gaussian pair.
    near, far = data**2 + after**2, data**2 + sigma**2
    conditional = near - near**2 / far
    std = noisy_step(sigma, after, 1.0).std * posterior_factor(sigma, after, 1.0, sigma_data=data)
    assert std**2 == pytest.approx(conditional)


def test_the_posterior_of_a_flow_models_first_step_is_finite():
    factor = posterior_factor(1.0, 0.6, 1.0, sigma_data=1.0, flow=True)
    assert math.isfinite(factor)
    assert factor > 1.0


def test_churn_is_karras_and_stays_on_a_flow_models_scale():
    assert churn_level(2.0, 10, 3.0, flow=False, highest=2.0) == pytest.approx(2.0 * 1.3)
    assert churn_level(2.0, 10, 50.0, flow=False, highest=2.0) == pytest.approx(2.0 * 2.0**0.5)
    assert churn_level(1.0, 10, 3.0, flow=True, highest=1.0) == 1.0
    assert churn_level(0.9, 10, 50.0, flow=True, highest=1.0) == 1.0


@given(pair=pairs)
def test_a_state_that_is_raised_has_the_spread_of_the_higher_level(pair):
    high, low = pair
    for flow in (False, True):
        plan = raise_level(low, high, flow=flow)
        assert (plan.scale * low) ** 2 + plan.std**2 == pytest.approx(high**2)
        assert plan.scale * (1.0 - low if flow else 1.0) == pytest.approx(1.0 - high if flow else 1.0)


def test_a_gaussian_stays_on_its_marginal_under_the_upper_bound():
    """Exact Gaussian data through ten steps of the upper bound: the state's spread is that of every level."""
    data, sigmas = 0.7, [14.6, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03]
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(200_000, generator=draw, dtype=torch.float64) * (sigmas[0] ** 2 + data**2) ** 0.5
    for sigma, after in pairwise(sigmas):
        denoised = x * data**2 / (data**2 + sigma**2)
        step = noisy_step(sigma, after, 1.0)
        std = step.std * posterior_factor(sigma, after, 1.0, sigma_data=data)
        x = denoised + step.sigma_down / sigma * (x - denoised)
        x = x + std * torch.randn(len(x), generator=draw, dtype=torch.float64)
        assert float(x.std()) == pytest.approx((data**2 + after**2) ** 0.5, rel=4.0 / (2 * len(x)) ** 0.5)
