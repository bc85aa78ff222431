"""The line of text that guidance over sigma is."""

from __future__ import annotations

import math

import pytest
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.webui.guidance import HELP, parse_guidance

RANGE = SigmaRange(0.03, 14.6)


def test_an_empty_line_is_no_curve():
    assert parse_guidance("") is None
    assert parse_guidance("  \n ") is None


def test_an_interval_holds_the_scale_inside_and_is_one_outside():
    curve = parse_guidance("interval 5 to 0.5 sigma", RANGE)
    assert curve is not None
    assert [curve.at(sigma, 7.0) for sigma in (14.6, 5.0, 1.0, 0.5, 0.1)] == [1.0, 7.0, 7.0, 1.0, 1.0]


def test_outside_and_the_unit_are_read():
    curve = parse_guidance("falling line 0 to 1 log sigma outside 2", RANGE)
    assert curve is not None
    middle = math.sqrt(RANGE.sigma_min * RANGE.sigma_max)
    assert curve.at(RANGE.sigma_max, 6.0) == pytest.approx(6.0)
    assert curve.at(middle, 6.0) == pytest.approx(4.0)
    assert curve.at(RANGE.sigma_min, 6.0) == pytest.approx(2.0)


def test_percent_goes_by_the_models_own_time():
    curve = parse_guidance("interval 0.25 to 0.75", RANGE, lambda share: 10.0 * (1.0 - share))
    assert curve is not None
    assert (curve.sigma_high, curve.sigma_low) == (7.5, 2.5)


def test_a_list_has_its_values():
    curve = parse_guidance("list 0 to 1 log sigma: 1, 7, 5", RANGE)
    assert curve is not None
    assert curve.at(RANGE.sigma_max, 3.0) == 1.0
    assert curve.at(RANGE.sigma_min, 3.0) == 5.0


def test_every_example_of_the_help_can_be_read():
    for example in HELP.split("; "):
        assert parse_guidance(example, RANGE) is not None


@pytest.mark.parametrize(
    "line",
    ["7", "interval", "interval 0.9 to 0.2", "list 0 to 1", "list 0 to 1: x", "rising 0 to 1", "interval 0 to 2"],
)
def test_what_cannot_be_read_names_the_input(line):
    with pytest.raises(ValueError, match="Guidance: "):
        parse_guidance(line, RANGE)
