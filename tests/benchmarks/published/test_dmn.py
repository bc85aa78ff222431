"""DMN: weights against integrals, the bound against its definition, its minimum against a search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import lagrange
from sigmasmith.benchmarks.published.dmn import dmn_schedules, error_bound, step_weights
from sigmasmith.schedules.noise_space import SigmaRange
from sigmasmith.schedules.sigmas import check_sigmas

EPS, FLOW = SigmaRange(0.0292, 14.6146), SigmaRange(0.003, 1.0, flow=True)


@given(st.lists(st.floats(0.1, 1.5), min_size=6, max_size=6), st.integers(0, 5))
def test_weights_are_integrals_of_the_interpolating_polynomial(steps, step):
    lam = -2.0 + np.append(0.0, np.cumsum(steps))
    weights = step_weights(lam, step)
    order = [1, 2, 3, 3, 2, 1][step]
    assert len(weights) == order
    nodes = lam[step + 1 - order : step + 1]
    for j, weight in enumerate(weights):
        basis = lagrange(nodes, np.eye(order)[j])
        assert weight == pytest.approx(quad(lambda t, b=basis: np.exp(t) * b(t), lam[step], lam[step + 1])[0], rel=1e-5)
    assert weights.sum() == pytest.approx(np.exp(lam[step + 1]) - np.exp(lam[step]))


def test_the_bound_of_two_steps_is_the_sum_of_both_euler_steps():
    lam = np.array([-2.0, 0.5, 3.0])
    for flow, power in ((False, 1), (False, 2), (True, 2)):
        sigma = 1 / (1 + np.exp(lam)) if flow else 1 / np.sqrt(1 + np.exp(2 * lam))
        alpha = np.exp(lam) * sigma
        expected = np.diff(np.exp(lam)) @ (sigma[:2] ** power / alpha[:2])
        assert error_bound(lam, flow, power) == pytest.approx(expected)


def test_the_bound_adds_signed_weights_of_one_output_before_it_takes_their_size():
    lam = np.linspace(-2.0, 3.0, 7)
    errors = np.exp(-lam[:-1])
    apart = [step_weights(lam, step) for step in range(6)]
    first = sum(np.sqrt(np.square(w * errors[s + 1 - len(w) : s + 1]).sum()) for s, w in enumerate(apart[:3]))
    later = np.zeros(6)
    for step in (3, 4):
        later[step + 1 - len(apart[step]) : step + 1] += apart[step] * errors[step + 1 - len(apart[step]) : step + 1]
    last = apart[5][0] * errors[5]
    assert error_bound(lam, False, 1) == pytest.approx(first + np.abs(later).sum() + last)


@pytest.mark.parametrize(("known", "power"), [(EPS, 1), (EPS, 2), (FLOW, 2)])
def test_three_steps_are_at_the_minimum_that_a_grid_finds(known, power):
    found = dmn_schedules(known, (3,), power)[3].double().numpy()
    top = 0.99 if known.flow else known.sigma_max

    def ratio(sigma: np.ndarray) -> np.ndarray:
        return np.log(1 - sigma) - np.log(sigma) if known.flow else -np.log(sigma)

    low, high = ratio(np.array([top, known.sigma_min]))
    grid = np.linspace(low, high, 90)[1:-1]
    best = min(error_bound(np.array([low, a, b, high]), known.flow, power) for a in grid for b in grid if b > a + 1e-9)
    ours = error_bound(np.array([low, *ratio(found[1:3]), high]), known.flow, power)
    assert ours <= best * 1.001


@pytest.mark.parametrize("known", [EPS, FLOW])
def test_schedules_keep_the_contract_from_sigma_max(known):
    for steps, sigmas in dmn_schedules(known, (1, 4, 10), 2).items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max)
