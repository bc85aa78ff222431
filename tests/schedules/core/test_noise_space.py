"""VE and flow coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import (
    FLOW_EDGE,
    SigmaRange,
    from_ve,
    log_snr,
    shift_flow,
    shift_of_range,
    sigma_from_log_snr,
    to_ve,
)

VE_SIGMAS = st.floats(1e-4, 1e4)
FLOW_SIGMAS = st.floats(1e-4, 1.0 - FLOW_EDGE)


@pytest.mark.parametrize(
    ("sigma_min", "sigma_max", "flow", "words"),
    [
        (0.0, 1.0, False, "sigma_min must be finite and > 0, got 0"),
        (-1.0, 1.0, False, "sigma_min must be finite and > 0, got -1"),
        (math.nan, 1.0, False, "sigma_min must be finite and > 0, got nan"),
        (0.1, math.inf, False, "sigma_max must be finite and > 0, got inf"),
        (1.0, 1.0, False, "sigma_min must be below sigma_max, got 1.0 and 1.0"),
        (2.0, 1.0, False, "sigma_min must be below sigma_max, got 2.0 and 1.0"),
        (0.1, 1.5, True, "sigma_max of a flow model must be <= 1, got 1.5"),
    ],
)
def test_impossible_ranges_are_refused_by_name_and_value(sigma_min, sigma_max, flow, words):
    with pytest.raises(ValueError, match=words):
        SigmaRange(sigma_min, sigma_max, flow)


@pytest.mark.parametrize("above", [1.0000001192092896, 1.0000002384, 1.000009])
def test_a_flow_table_that_ends_a_rounding_above_one_ends_at_one(above):
    assert SigmaRange(0.1, above, True).sigma_max == 1.0
    assert SigmaRange(0.1, 0.9999, True).sigma_max == 0.9999


@pytest.mark.parametrize("above", [1.0001, 14.6])
def test_a_flow_table_that_ends_above_one_is_refused(above):
    with pytest.raises(ValueError, match="sigma_max of a flow model must be <= 1"):
        SigmaRange(0.1, above, True)


@given(sigma=VE_SIGMAS)
def test_log_snr_of_ve_sigmas_inverts(sigma):
    assert sigma_from_log_snr(log_snr(sigma, flow=False), flow=False) == pytest.approx(sigma, rel=1e-12)


@given(sigma=FLOW_SIGMAS)
def test_log_snr_of_flow_sigmas_inverts(sigma):
    assert sigma_from_log_snr(log_snr(sigma, flow=True), flow=True) == pytest.approx(sigma, rel=1e-9)


def test_log_snr_is_finite_at_a_flow_sigma_of_one():
    assert log_snr(1.0, flow=True) == pytest.approx(2 * math.log(FLOW_EDGE / (1 - FLOW_EDGE)))


@given(sigma=FLOW_SIGMAS)
def test_tied_sigmas_have_the_same_signal_to_noise_ratio(sigma):
    assert from_ve(to_ve(sigma)) == pytest.approx(sigma, rel=1e-12)
    assert log_snr(to_ve(sigma), flow=False) == pytest.approx(float(log_snr(sigma, flow=True)), abs=1e-9)


@given(shift=st.floats(0.1, 20.0), low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
def test_shifted_time_runs_from_0_to_1_and_never_falls(shift, low, high):
    assert shift_flow(0.0, shift) == 0.0
    assert shift_flow(1.0, shift) == pytest.approx(1.0)
    first, second = shift_flow(sorted((low, high)), shift)
    assert first <= second + 1e-12


@given(shift=st.floats(0.1, 20.0), time=st.floats(0.01, 0.99))
def test_shift_multiplies_the_odds(shift, time):
    assert to_ve(shift_flow(time, shift)) == pytest.approx(shift * to_ve(time), rel=1e-9)


@pytest.mark.parametrize(
    ("sigma_min", "timesteps", "shift"),
    [(0.003 / 1.002, 1000, 3.0), (0.001, 1000, 1.0), (0.0003157227, 10_000, math.exp(1.15))],
)
def test_shift_of_range_reads_the_shift_of_known_models(sigma_min, timesteps, shift):
    assert shift_of_range(sigma_min, timesteps) == pytest.approx(shift, rel=1e-4)


@given(shift=st.floats(0.1, 20.0), timesteps=st.integers(10, 10_000))
def test_shift_of_range_inverts_the_first_entry_of_a_table(shift, timesteps):
    assert shift_of_range(float(shift_flow(1 / timesteps, shift)), timesteps) == pytest.approx(shift, rel=1e-9)


@given(fraction=st.floats(0.001, 1.0))
def test_noise_fraction_is_relative_to_that_at_sigma_max(fraction):
    ve, flow = SigmaRange(0.03, 14.6), SigmaRange(0.003, 1.0, flow=True)
    assert from_ve(ve.at_noise_fraction(fraction)) == pytest.approx(fraction * float(from_ve(14.6)))
    assert flow.at_noise_fraction(fraction) == fraction


def test_arrays_keep_their_shape():
    assert np.shape(log_snr([[1.0, 2.0]], flow=False)) == (1, 2)
