"""DMN: weights against integrals, the bound against its definition, its minimum against a search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sigmasmith.schedules.core.noise_space import SigmaRange, log_snr
from sigmasmith.schedules.core.sigmas import check_sigmas, finish_sigmas
from sigmasmith.schedules.fitting.refine.dmn import dmn_levels, error_bound, step_weights

from ..fits import FLOW, VE


def lambdas(known: SigmaRange, steps: int, power: int) -> np.ndarray:
    """log(alpha / sigma) of the levels and of sigma_min, the first where the optimised range begins."""
    levels = dmn_levels(known, steps, power)
    top = min(levels[0], 0.99) if known.flow else levels[0]
    return 0.5 * log_snr(np.concatenate([[top], levels[1:], [known.sigma_min]]), flow=known.flow)


@given(st.lists(st.floats(0.1, 1.5), min_size=6, max_size=6), st.integers(0, 5))
def test_weights_are_integrals_of_the_interpolating_polynomial(steps, step):
    lam = -2.0 + np.append(0.0, np.cumsum(steps))
    weights = step_weights(lam, step)
    order = [1, 2, 3, 3, 2, 1][step]
    assert len(weights) == order
    nodes = lam[step + 1 - order : step + 1]
    for j, weight in enumerate(weights):
        others = np.delete(nodes, j)

        def integrand(t, node=nodes[j], others=others):
            return np.exp(t) * np.prod((t - others) / (node - others))

        assert weight == pytest.approx(quad(integrand, lam[step], lam[step + 1])[0], rel=1e-5)
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


@pytest.mark.parametrize(("known", "power"), [(VE, 1), (VE, 2), (FLOW, 2)])
@pytest.mark.slow
def test_three_steps_are_at_the_minimum_that_a_grid_finds(known, power):
    found = lambdas(known, 3, power)
    low, high = found[0], found[-1]
    grid = np.linspace(low, high, 90)[1:-1]
    best = min(error_bound(np.array([low, a, b, high]), known.flow, power) for a in grid for b in grid if b > a + 1e-9)
    assert error_bound(found, known.flow, power) <= best * 1.001


@pytest.mark.slow
@pytest.mark.parametrize("known", [VE, FLOW])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("steps", [4, 9])
def test_the_bound_is_below_that_of_even_steps_and_no_sigma_moved_alone_lowers_it(known, power, steps):
    found = lambdas(known, steps, power)
    reached = error_bound(found, known.flow, power)
    assert reached < error_bound(np.linspace(found[0], found[-1], steps + 1), known.flow, power)
    for at in range(1, steps):
        for move in (-0.02, 0.02):
            moved = found.copy()
            moved[at] += move * min(np.diff(found)[at - 1 : at + 1])
            # The bound has kinks, at which SLSQP stops a little short; how much depends on the last bits of sums.
            assert error_bound(moved, known.flow, power) >= reached * (1.0 - 1e-3)


def test_two_steps_meet_half_way_where_an_output_errs_as_sigma_over_alpha():
    # exp(m - a) + exp(b - m) has its minimum at (a + b) / 2.
    found = lambdas(VE, 2, 1)
    assert found[1] == pytest.approx(0.5 * (found[0] + found[2]), abs=1e-4)


@pytest.mark.slow
@settings(max_examples=20)
@given(
    flow=st.booleans(),
    steps=st.integers(1, 10),
    power=st.sampled_from([1, 2]),
    top=st.floats(0.05, 1.0),
    bottom=st.floats(0.001, 0.999),
)
def test_levels_make_a_sigma_list_on_any_range(flow, steps, power, top, bottom):
    high = (1.0 if flow else 14.6146) * top
    known = SigmaRange(bottom * high, high, flow)
    levels = dmn_levels(known, steps, power)
    assert len(check_sigmas(finish_sigmas(levels))) == steps + 1
    assert levels[0] == high
    assert levels[-1] > known.sigma_min or steps == 1


@pytest.mark.slow
@pytest.mark.parametrize("known", [VE, SigmaRange(0.003, 0.4, flow=True)])
def test_twenty_steps_make_a_sigma_list(known):
    levels = dmn_levels(known, 20, 2)
    assert len(check_sigmas(finish_sigmas(levels))) == 21
    assert known.sigma_min < levels[-1] < levels[0] == known.sigma_max
