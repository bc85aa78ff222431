"""Guidance curves: their values, their ends, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.curves.guidance import SHAPES, SigmaAxis, guidance_curve, parse_values

SD = SigmaRange(0.0292, 14.6146)
FLOW = SigmaRange(0.003, 1.0, flow=True)


def flow_percent(percent: float) -> float:
    """Shift 3, as the host's flow models."""
    return 3.0 * (1.0 - percent) / (1.0 + 2.0 * (1.0 - percent))


AXES = [
    (SigmaAxis("log sigma", SD), 0.2, 0.7),
    (SigmaAxis("sigma", SD), 5.42, 0.28),
    (SigmaAxis("percent", FLOW, flow_percent), 0.2, 0.9),
]


@pytest.mark.parametrize(("axis", "start", "end"), AXES, ids=lambda value: getattr(value, "unit", None))
def test_the_interval_is_closed_above_open_below_and_keeps_the_samplers_guidance(axis, start, end):
    curve = guidance_curve("interval", start, end, axis, outside=1.0)
    high, low = curve.sigma_high, curve.sigma_low
    assert curve.at(high, 7.0) == 7.0
    assert curve.at(low, 7.0) == 1.0
    assert curve.at(math.nextafter(high, 100.0), 7.0) == 1.0
    assert curve.at(math.nextafter(low, 100.0), 7.0) == 7.0
    assert curve.jumps == (high, low)


@pytest.mark.parametrize(("axis", "start", "end"), AXES, ids=lambda value: getattr(value, "unit", None))
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.split()[0] in ("rising", "falling")])
def test_ramps_run_between_their_ends_monotonically_and_hold_beyond(axis, start, end, shape):
    curve = guidance_curve(shape, start, end, axis, outside=2.0)
    top, low = axis.sigma_range.sigma_max, axis.sigma_range.sigma_min
    sigmas = [top * (low / top) ** (i / 200) for i in range(201)]
    values = [curve.at(sigma, 8.0) for sigma in sigmas]
    first, last = (2.0, 8.0) if shape.startswith("rising") else (8.0, 2.0)
    assert values[0] == pytest.approx(first)
    assert values[-1] == pytest.approx(last)
    sign = 1.0 if last > first else -1.0
    assert all(sign * (b - a) >= -1e-9 for a, b in pairwise(values))
    assert curve.at(axis.sigma(0.5 * (start + end)), 8.0) == pytest.approx(5.0, abs=0.02)
    assert curve.jumps == ()


def test_a_percent_ramp_is_even_in_the_models_own_time():
    curve = guidance_curve("falling line", 0.0, 1.0, SigmaAxis("percent", FLOW, flow_percent), outside=0.0)
    for percent in (0.1, 0.37, 0.5, 0.9):
        assert curve.at(flow_percent(percent), 1.0) == pytest.approx(1.0 - percent, abs=1e-4)


def test_a_list_runs_through_its_values_whatever_the_samplers_guidance():
    axis = SigmaAxis("log sigma", SD)
    even = guidance_curve("list", 0.0, 1.0, axis, values=parse_values("1, 7; 5"))
    assert [even.at(sigma, 3.0) for sigma in (99.0, axis.sigma(0.5), 0.001)] == [1.0, 7.0, 5.0]
    assert even.at(axis.sigma(0.25), 3.0) == pytest.approx(4.0)
    by_sigma = guidance_curve("list", 14.0, 0.0, SigmaAxis("sigma", SD), values=parse_values("14: 1, 5: 7, 1: 3"))
    assert by_sigma.at(5.0, 3.0) == pytest.approx(7.0)
    assert by_sigma.at(9.5, 3.0) == pytest.approx(4.0)
    assert by_sigma.at(0.5, 3.0) == 3.0  # held behind the last place
    assert guidance_curve("list", 0.0, 1.0, axis, values=[(None, 4.0)]).at(1.0, 9.0) == 4.0


@given(
    st.sampled_from(SHAPES),
    st.floats(0.0, 0.98),
    st.floats(0.011, 1.0),
    st.floats(0.0, 20.0),
    st.floats(1e-4, 50.0),
    st.floats(0.0, 10.0),
)
def test_guidance_stays_between_its_two_values(shape, start, width, cfg, sigma, outside):
    end = min(1.0, start + width)
    curve = guidance_curve(shape, start, end, SigmaAxis("log sigma", SD), outside=outside, values=[(None, cfg)])
    value = curve.at(sigma, cfg)
    assert min(cfg, outside) - 1e-9 <= value <= max(cfg, outside) + 1e-9


def test_every_input_changes_the_key_and_equal_inputs_do_not():
    axis = SigmaAxis("log sigma", SD)

    def key(shape: Any = "interval", start=0.2, end=0.7, axis=axis, **settings: Any):
        return guidance_curve(shape, start, end, axis, **settings).key()

    keys = [
        key(),
        key(start=0.21),
        key(end=0.71),
        key(outside=1.5),
        key(shape="rising line"),
        key(axis=SigmaAxis("log sigma", FLOW)),
        key(shape="list", values=[(None, 1.0)]),
        key(shape="list", values=[(None, 2.0)]),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]
    assert "0x" not in keys[0]


def test_words_say_the_sigmas_and_the_samplers_guidance():
    axis = SigmaAxis("sigma", SD)
    interval = guidance_curve("interval", 5.42, 0.28, axis)
    assert interval.in_words() == "the sampler's CFG from sigma 5.42 to sigma 0.28, 1 outside."
    assert interval.in_words(4.0).startswith("CFG 4 from")
    whole = guidance_curve("falling cosine", 0.0, 1.0, SigmaAxis("log sigma", SD), outside=2.0)
    assert "from the start to the end" in whole.in_words()
    assert "half cosine" in whole.in_words()


@pytest.mark.parametrize(
    ("shape", "start", "end", "unit", "settings", "words"),
    [
        ("interval", 0.9, 0.2, "log sigma", {}, "start and end: 0.9 to 0.2 is upside down"),
        ("interval", 0.2, 0.2, "log sigma", {}, "start must be below end"),
        ("interval", 0.28, 5.42, "sigma", {}, "start must be above end"),
        ("interval", -0.1, 0.5, "log sigma", {}, "start must be from 0 to 1"),
        ("interval", 0.1, 1.5, "log sigma", {}, "end must be from 0 to 1"),
        ("interval", math.nan, 0.5, "log sigma", {}, "start must be"),
        ("interval", 0.1, 0.5, "steps", {}, "unit must be one of"),
        ("wave", 0.1, 0.5, "log sigma", {}, "shape must be one of"),
        ("interval", 0.1, 0.5, "log sigma", {"outside": -1.0}, "outside must be"),
        ("list", 0.1, 0.5, "log sigma", {}, "values: give 1 to"),
        ("list", 0.1, 0.5, "log sigma", {"values": [(0.7, 3.0)]}, "values: the place 0.7"),
        ("list", 0.1, 0.5, "log sigma", {"values": [(0.3, 3.0), (0.2, 1.0)]}, "values: the places must run"),
        ("list", 0.1, 0.5, "log sigma", {"values": [(None, 300.0)]}, "values: a CFG must be"),
    ],
)
def test_bad_input_is_refused_by_name(shape, start, end, unit, settings, words):
    with pytest.raises(ValueError, match=words):
        guidance_curve(shape, start, end, SigmaAxis(unit, SD), **settings)


@pytest.mark.parametrize("text", ["a", "1, two", "5:", "3: x", "1, 2: 3"])
def test_values_that_cannot_be_read_are_named(text):
    with pytest.raises(ValueError, match="values"):
        parse_values(text)


def test_values_may_be_empty_until_a_list_needs_them():
    assert parse_values("") == []
    assert guidance_curve("interval", 0.1, 0.5, SigmaAxis("log sigma", SD)).values == ()
