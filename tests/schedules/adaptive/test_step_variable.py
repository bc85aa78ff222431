"""The variable of the steps, and the exact quadrature in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.adaptive.quadrature import moments, step_terms
from sigmasmith.schedules.adaptive.step_variable import StepVariable

FLOWS = (False, True)


def step_weights(*given):
    step = step_terms(*given)
    return step.carry, step.weights()


levels = st.floats(0.003, 0.999)


@given(st.lists(levels, min_size=2, max_size=5, unique=True), st.booleans())
def test_t_rises_as_sigma_falls_and_comes_back(sigmas, flow):
    variable, sigmas = StepVariable(flow), sorted((float(np.float32(s)) for s in sigmas), reverse=True)
    t = variable.at(sigmas)
    assert bool((np.diff(t) >= 0).all())
    assert variable.sigma(t) == pytest.approx(sigmas, rel=1e-6)


def test_on_ve_models_it_is_log_sigma_and_pure_noise_of_a_flow_is_an_ordinary_place():
    assert StepVariable(False).at(14.6) == pytest.approx(-np.log(14.6))
    flow = StepVariable(True)
    assert np.isfinite(flow.at(1.0))
    assert float(flow.sigma(flow.at(1.0))) == 1.0
    assert float(flow.at(0.99) - flow.at(1.0)) < 1.0
    # Far below, a step in t is one in the log of the VE sigma.
    assert float(flow.at(0.01) - flow.at(0.02)) == pytest.approx(np.log(99 / 49), rel=1e-3)


@pytest.mark.parametrize("flow", FLOWS)
def test_share_is_the_derivative_of_log_one_over_sigma(flow):
    variable = StepVariable(flow)
    t = variable.at([0.9, 0.5, 0.1])
    y = np.exp(t + 1e-6) - variable.offset, np.exp(t - 1e-6) - variable.offset
    tau = [value + 1.0 if flow else value for value in y]
    assert variable.share(t) == pytest.approx((np.log(tau[0]) - np.log(tau[1])) / 2e-6, rel=1e-5)


@given(st.booleans(), st.integers(1, 3), levels, st.floats(0.05, 0.95))
def test_weights_and_carry_add_up_to_one(flow, count, sigma, ratio):
    variable = StepVariable(flow)
    at = variable.at(sigma)
    nodes = np.array([[at], [at - 0.4], [at - 1.1]])
    carry, weights = step_weights(variable, nodes, np.array([count]), np.array([sigma]), np.array([sigma * ratio]))
    assert float(carry[0] + weights[:, 0].sum()) == pytest.approx(1.0, abs=1e-9)
    assert np.all(weights[count:, 0] == 0.0)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("degree", [0, 1, 2])
def test_outputs_that_are_polynomials_in_t_are_integrated_exactly(flow, degree):
    variable = StepVariable(flow)
    start, end = 0.8, 0.35
    at = float(variable.at(start))
    times = np.array([at, at - 0.3, at - 0.5])
    carry, weights = step_weights(variable, times[:, None], np.array([3]), np.array([start]), np.array([end]))
    # x / sigma grows by the integral of D d(1 / sigma): here by fine quadrature.
    tau = np.linspace(1.0 / start, 1.0 / end, 200_001)
    sigma = 1.0 / tau
    output = (variable.at(sigma) - at) ** degree
    integral = float(np.sum(0.5 * (output[1:] + output[:-1]) * np.diff(tau)))
    x = 1.7
    wanted = end * (x / start + integral)
    found = float(carry[0]) * x + float(weights[:, 0] @ (times - at) ** degree)
    assert found == pytest.approx(wanted, rel=1e-8)


def test_rows_with_shorter_histories_use_what_they_have():
    variable = StepVariable(False)
    nodes = np.array([[0.0, 0.0], [-0.5, 0.0], [-1.0, 0.0]])
    sigma, below = np.array([1.0, 1.0]), np.array([0.5, 0.5])
    _, both = step_weights(variable, nodes, np.array([3, 1]), sigma, below)
    _, alone = step_weights(variable, nodes[:, 1:], np.array([1]), sigma[1:], below[1:])
    assert np.allclose(both[:, 1], alone[:, 0])
    assert both[1, 0] != 0.0
    assert both[1, 1] == 0.0


@given(st.floats(1e-6, 12.0))
def test_moments_keep_their_digits_in_steps_of_any_length(h):
    from scipy.integrate import quad

    for k, value in enumerate(moments(np.array([h]))):
        wanted = quad(lambda s, k=k: s**k * np.exp(s - h), 0.0, h, epsabs=0.0, epsrel=1e-12)[0]
        assert float(value[0]) == pytest.approx(wanted, rel=1e-9)


def test_a_limited_step_keeps_its_first_two_orders():
    variable = StepVariable(False)
    nodes = np.array([[0.0], [-0.5], [-1.2]])
    given = variable, nodes, np.array([3]), np.array([1.0]), np.array([0.4])
    _, second = step_weights(variable, nodes, np.array([2]), np.array([1.0]), np.array([0.4]))
    full = step_terms(*given)
    assert np.allclose(full.limited(np.zeros(1)).weights(), second)
    half = full.limited(np.array([0.5])).weights()
    assert np.allclose(half, 0.5 * (full.weights() + second))
