"""Where steps are expected, and how a measurement changes that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.adaptive.expected import StepDensity, error_weight, expected_rate, state_weight
from sigmasmith.schedules.adaptive.step_variable import StepVariable

ENDS = {False: (14.6, 0.03), True: (1.0, 0.003)}


def density(flow):
    variable = StepVariable(flow)
    high, low = ENDS[flow]
    return StepDensity(variable, float(variable.at(high)), float(variable.at(low)))


@pytest.mark.parametrize("flow", [False, True])
def test_steps_ahead_are_counted_from_the_row_to_the_end(flow):
    here = density(flow)
    middle = 0.5 * (here.start + here.end)
    ahead = here.ahead(np.array([here.start, middle, here.end]), np.zeros(3))
    assert ahead.total[0] > ahead.total[1] > ahead.total[2]
    assert float(ahead.total[2]) == pytest.approx(0.0, abs=1e-9)
    reached = ahead.after(ahead.total)
    assert reached == pytest.approx([here.end] * 3)
    assert float(ahead.after(np.zeros(3))[1]) == pytest.approx(middle, abs=1e-6)


@given(st.floats(-3.0, 3.0))
def test_a_surprise_multiplies_the_density_nearby_and_fades(surprise):
    here = density(False)
    t = np.array([here.start])
    plain, found = here.ahead(t, np.zeros(1)), here.ahead(t, np.array([surprise]))
    near, far = 0.01, here.end - here.start
    ratio = np.interp(here.start + near, plain.grid, found.steps[0]) / np.interp(
        here.start + near, plain.grid, plain.steps[0]
    )
    assert float(ratio) == pytest.approx(np.exp(surprise / 4.0), rel=0.02)
    last = (found.steps[0, -1] - found.steps[0, -2]) / (plain.steps[0, -1] - plain.steps[0, -2])
    assert abs(np.log(float(last))) <= abs(surprise) / 4.0 * np.exp(-far) * 1.1 + 1e-9


def test_a_surprise_is_the_log_of_measured_over_expected_and_is_limited():
    here = density(False)
    t = here.variable.at(np.array([1.0]))
    rate = expected_rate(np.array([1.0]))
    assert float(here.surprise(rate, t)[0]) == pytest.approx(0.0, abs=1e-12)
    assert float(here.surprise(2.0 * rate, t)[0]) == pytest.approx(np.log(2.0))
    assert float(here.surprise(0.0 * rate, t)[0]) == -3.0


def test_the_same_model_is_expected_on_ve_and_on_flow():
    ve = np.array([0.1, 1.0, 10.0])
    flow = StepVariable(True)
    assert flow.ve_sigma(flow.at(ve / (1.0 + ve))) == pytest.approx(ve, rel=1e-6)


def test_errors_of_a_flow_state_keep_their_size_and_those_of_a_noisy_ve_state_fade():
    ve, flow = StepVariable(False), StepVariable(True)
    assert np.all(state_weight(flow, flow.at([0.9, 0.1])) == 1.0)
    weights = state_weight(ve, ve.at([100.0, 1.0, 0.01]))
    assert weights[0] == pytest.approx(0.1, rel=1e-3)
    assert weights[0] < weights[1] < weights[2] < 1.0
    assert np.all(error_weight(flow, flow.at([0.99, 0.5])) < 1.0)
