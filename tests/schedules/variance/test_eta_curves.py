"""Curves over sigma from text, and the values that steps get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.eta_curves import parse_curve

VE = CURVES["karras"](20, 0.03, 14.6).tolist()
FLOW = CURVES["karras"](20, 0.003, 1.0).tolist()


@pytest.mark.parametrize(("text", "first", "last"), [("cosine 1 to 0", 1.0, 0.0), ("linear 0.2 to 0.8", 0.2, 0.8)])
@pytest.mark.parametrize(("sigmas", "flow"), [(VE, False), (FLOW, True)])
def test_an_anneal_goes_from_its_first_value_to_its_last(text, first, last, sigmas, flow):
    values = parse_curve(text, "eta").at_steps(sigmas, flow=flow)
    assert len(values) == len(sigmas) - 1
    assert values[0] == pytest.approx(first)
    assert values[-1] == pytest.approx(last)
    falls = last < first
    assert values == sorted(values, reverse=falls)


def test_an_anneal_is_a_function_of_sigma_and_not_of_the_step_count():
    curve = parse_curve("cosine 1 to 0", "eta")
    fine = CURVES["karras"](39, 0.03, 14.6).tolist()
    coarse = [*fine[:-1:2], 0.0]
    assert coarse[-2] == fine[-2]
    assert curve.at_steps(coarse, flow=False) == pytest.approx(curve.at_steps(fine, flow=False)[::2])


def test_a_window_holds_both_its_ends_and_has_its_own_outside():
    curve = parse_curve("window 0.7 from 2 to 1", "s_noise", high=2.0, outside=1.0)
    assert curve.at_steps([3.0, 2.0, 1.5, 1.0, 0.5, 0.0], flow=False) == [1.0, 0.7, 0.7, 0.7, 1.0]
    assert parse_curve("window 1 from 2 to 1 else 0.5", "eta").at_steps([3.0, 2.0, 0.0], flow=False) == [0.5, 1.0]


def test_a_list_has_one_value_per_step_and_may_leave_out_the_last():
    curve = parse_curve("list 1, 0.5 0", "eta")
    assert curve.at_steps([3.0, 2.0, 1.0, 0.0], flow=False) == [1.0, 0.5, 0.0]
    assert curve.at_steps([3.0, 2.0, 1.0, 0.5, 0.0], flow=False) == [1.0, 0.5, 0.0, 0.0]
    with pytest.raises(ValueError, match="eta lists 3 values and the run has 7 steps"):
        curve.at_steps(CURVES["karras"](7, 0.03, 14.6).tolist(), flow=False)


@given(st.floats(0.0, 1.0))
def test_a_number_is_the_same_at_every_step(value):
    curve = parse_curve(value, "eta")
    assert curve.is_constant
    assert set(curve.at_steps(VE, flow=False)) == {value}


def test_one_step_takes_the_first_value():
    assert parse_curve("linear 1 to 0", "eta").at_steps([14.6, 0.0], flow=False) == [1.0]
    assert parse_curve("linear 1 to 0", "eta").at_steps([1.0, 0.0], flow=True) == [1.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "eta: '' is not understood; it can be a number"),
        ("often", "eta: 'often' is not understood"),
        ("cosine 1", "not understood"),
        ("list", "not understood"),
        ("list 1, x", "not understood"),
        ("nan", "not understood"),
        ("1.2", "eta must be from 0 to 1 everywhere, got 1.2"),
        ("-0.1", "eta must be from 0 to 1"),
        ("cosine 2 to 0", "got 2"),
        ("window 1 from 1 to 2", "eta: the window is upside down"),
        ("window 1 from 1 to 1", "upside down"),
        ("window 1 from 2 to -1", "lower sigma must be 0 or more"),
        ("window 1 from 2 to 1 else 3", "got 3"),
    ],
)
def test_what_cannot_be_is_said_with_the_inputs_name(text, words):
    with pytest.raises(ValueError, match=words):
        parse_curve(text, "eta")
