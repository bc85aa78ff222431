"""What a person types to compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes.compare.grid import MAX_SCHEDULES, parse_samplers, parse_schedules

NAMES = ["simple", "karras", "beta", "sigmasmith_optimal"]


def labels(text):
    return [choice.label for choice in parse_schedules(text, NAMES)]


def test_names_and_curves_with_values():
    assert labels("simple, karras\nkarras rho: 3, 5, 7") == [
        "simple",
        "karras",
        "karras rho=3",
        "karras rho=5",
        "karras rho=7",
    ]


def test_several_settings_are_combined():
    found = parse_schedules("laplace mu: -1, 0; beta: 0.5, 1", NAMES)
    assert [choice.settings for choice in found] == [
        {"mu": mu, "beta": beta} for mu in (-1.0, 0.0) for beta in (0.5, 1.0)
    ]


def test_names_may_stand_before_a_curve_on_its_line_and_equals_signs_do_as_well():
    assert labels("simple; karras rho=3 5e0") == ["simple", "karras rho=3", "karras rho=5"]


def test_repeats_and_empty_lines_are_dropped():
    assert labels("\nsimple simple,\n\nkarras rho: 3, 3.0\nsimple") == ["simple", "karras rho=3"]
    assert labels("  \n") == []


def test_a_curve_that_is_no_scheduler_needs_no_settings():
    assert labels("tangent") == ["tangent"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("simpel", ["simple"]),
        ("rho: 3", ["karras rho: 3, 5, 7"]),
        ("karras rho: x", ["'x'", "rho"]),
        ("karras rho:", ["rho"]),
        ("karras rho: 3 * 2", ["'*'"]),
        ("karras rho: __import__('os')", ["rho"]),
        ("karras rho: 0", ["from 0.1 to 100"]),
        ("karras rho: nan", ["'nan'"]),
        ("karras rho: 1e999", ["rho"]),
        ("karras c: 1", ["'c'", "rho"]),
        ("exponential rho: 1", ["it has none"]),
        ("simple rho: 1", ["curve", "simple"]),
        ("karras rho: " + ", ".join(str(1 + n / 10) for n in range(MAX_SCHEDULES + 1)), ["64"]),
    ],
)
def test_what_cannot_be_understood_names_the_input_and_the_word(text, words):
    with pytest.raises(ValueError, match=r"^schedules: ") as caught:
        parse_schedules(text, NAMES)
    assert all(word in str(caught.value) for word in words), caught.value


def test_samplers_are_names_of_the_host():
    assert parse_samplers("euler, heun\ndpmpp_2m; euler", ["euler", "heun", "dpmpp_2m"]) == [
        "euler",
        "heun",
        "dpmpp_2m",
    ]
    with pytest.raises(ValueError, match=r"^samplers: .*did you mean dpmpp_2m"):
        parse_samplers("dpmp_2m", ["euler", "dpmpp_2m"])


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_the_inputs_name(text):
    try:
        found = parse_schedules(text, NAMES)
    except ValueError as error:
        found, said = [], str(error)
    else:
        said = "schedules: "
    assert said.startswith("schedules: ")
    assert len(found) <= MAX_SCHEDULES
