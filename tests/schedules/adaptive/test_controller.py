"""The PID controller."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.adaptive.controller import Gains, PIDController

ratios = st.floats(1e-4, 1e3)
YES, NO = np.array([True]), np.array([False])
ORDER = np.array([2.0])


def factor(controller, ratio, accepted=YES):
    return float(controller.factors(np.array([ratio]), ORDER, accepted)[0])


@given(st.lists(ratios, min_size=1, max_size=6), st.floats(0.1, 1.0))
def test_without_p_and_d_it_is_the_elementary_controller(errors, integral):
    controller = PIDController(1, Gains(0.0, integral, 0.0, safety=0.9, shortest=1e-9, longest=1e9))
    for ratio in errors:
        assert factor(controller, ratio) == pytest.approx(0.9 * max(ratio, 1e-6) ** (-integral / 2.0))


@given(st.floats(0.05, 0.6), st.floats(0.05, 0.6), st.floats(0.0, 0.2), st.lists(ratios, min_size=3, max_size=3))
def test_the_factor_is_the_formula(p, i, d, errors):
    controller = PIDController(1, Gains(p, i, d, safety=0.8, shortest=1e-9, longest=1e9))
    found = [factor(controller, ratio) for ratio in errors][-1]
    e2, e1, e0 = errors
    wanted = 0.8 * e0 ** (-(p + i + d) / 2) * e1 ** ((p + 2 * d) / 2) * e2 ** (-d / 2)
    assert found == pytest.approx(wanted, rel=1e-9)


@given(ratios, ratios)
def test_a_rejected_step_keeps_the_controllers_state_and_shortens(before, ratio):
    controller, twin = PIDController(1), PIDController(1)
    factor(controller, before)
    factor(twin, before)
    assert factor(controller, ratio, NO) <= controller.gains.safety
    assert factor(controller, 0.5) == pytest.approx(factor(twin, 0.5))


@given(ratios)
def test_the_factor_stays_within_its_limits(ratio):
    controller = PIDController(1, Gains(shortest=0.5, longest=1.5))
    assert 0.5 <= factor(controller, ratio) <= 1.5


def test_an_error_at_the_tolerance_changes_the_step_by_the_safety_factor_alone():
    assert factor(PIDController(1), 1.0) == pytest.approx(0.9)


def test_rows_do_not_see_each_other():
    both = PIDController(2)
    pairs = ([0.1, 5.0], [2.0, 0.3])
    both_factors = [both.factors(np.array(r), np.array([2.0, 2.0]), np.array([True, r[1] < 1.0])) for r in pairs]
    found = both_factors[-1]
    alone = PIDController(1)
    factor(alone, 0.1)
    assert found[0] == pytest.approx(factor(alone, 2.0))
