"""What people type into the nodes, and what they read."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes.text import (
    duration,
    in_words,
    parse_settings,
    parse_steps,
    plain_list,
    translatable,
)
from sigmasmith.schedules.core.words import Phrase


@pytest.mark.parametrize(
    ("typed", "counts"),
    [("10", (10,)), ("5, 8,10", (5, 8, 10)), ("20 5", (20, 5)), (" 7 ; 7, 3 ", (7, 3)), (12, (12,)), ("1000", (1000,))],
)
def test_step_counts_keep_the_order_typed_without_repeats(typed, counts):
    assert parse_steps(typed) == counts


@pytest.mark.parametrize("typed", ["", " , ", "0", "-5", "ten", "5.5", "1001", "1e3", "99999999", "5,,x", True, None])
def test_what_is_no_step_count_names_the_input(typed):
    with pytest.raises(ValueError, match=r"^steps"):
        parse_steps(typed)


def test_too_many_step_counts_are_refused():
    with pytest.raises(ValueError, match="at most 16"):
        parse_steps(", ".join(map(str, range(1, 18))))


def test_settings_of_a_curve_are_read_and_checked():
    allowed = {"rho": (0.1, 100.0), "c": (0.0, 1.0)}
    assert parse_settings("", allowed, "x") == {}
    assert parse_settings("rho=5, c = 0.25", allowed, "x") == {"rho": 5.0, "c": 0.25}
    for text in ("rho", "rho=", "rho=five", "rho=1000", "c=nan", "mu=1", "__import__=1"):
        with pytest.raises(ValueError, match=r"^settings"):
            parse_settings(text, allowed, "x")


@given(st.lists(st.floats(2.0**-90, 2.0**20, width=32), min_size=1, max_size=20))
def test_plain_list_survives_the_hosts_manual_sigmas_bit_for_bit(sigmas):
    # The pattern that ComfyUI's ManualSigmas reads numbers with.
    read = [float(number) for number in re.findall(r"[-+]?(?:\d*\.*\d+)", plain_list([*sigmas, 0.0]))]
    assert [np.float32(value) for value in read] == [*map(np.float32, sigmas), np.float32(0.0)]


def test_durations_are_said_as_people_say_them():
    assert [duration(s) for s in (0.2, 1.0, 40.4, 200.0, 9000.0)] == [
        "1 second",
        "1 second",
        "40 seconds",
        "3 minutes",
        "2.5 hours",
    ]


def test_names_are_joined_in_words():
    assert in_words(["a"]) == "a"
    assert in_words(["a", "b", "c"]) == "a, b and c"


def test_the_page_is_sent_templates_with_their_values_at_any_depth_and_all_else_as_it_is():
    table = {"heads": [Phrase("steps")], "rows": [["5", Phrase("fitted: {sampler}", sampler=Phrase("none"))]], "n": 3}
    assert translatable(table) == {
        "heads": [{"say": "steps", "given": {}}],
        "rows": [["5", {"say": "fitted: {sampler}", "given": {"sampler": {"say": "none", "given": {}}}}]],
        "n": 3,
    }
    assert translatable("a sentence") == "a sentence"
