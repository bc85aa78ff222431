"""Live curves of search plans: drawn from the values on the page, and copied as their line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes.page.live_curve import live_curve, share_code
from sigmasmith.nodes.page.live_request import parse_request
from sigmasmith.schedules.search.widths import parse_widths, with_plan

from .page_presets import LOADER, SD15, Host, node, preset

KEPT = with_plan(preset(), parse_widths("until 0.3"))
HOST = Host({"mine": KEPT}, SD15)


def answer_of(request: dict[str, Any]) -> dict[str, Any]:
    given = live_curve(parse_request(request), HOST)
    json.dumps(given, allow_nan=False)
    return given


@pytest.mark.parametrize("kind", ["SigmasmithSearchPlan", "SigmasmithSearchSampler"])
def test_a_plan_is_drawn_over_the_share_of_noise_from_one_on_the_left(kind):
    answer = answer_of({"node": node(kind, plan="1: 1, 0.75: 3, 0.5: 0")})
    (curve,) = answer["plot"]["curves"]
    assert [point[0] for point in curve["points"]] == [0.0, 0.25, 0.25, 0.5, 0.5, 1.0]
    assert [point[1] for point in curve["points"]] == [1.0, 1.0, 3.0, 3.0, None, None]
    assert curve["said"][2] == "share of noise 0.75: further children 3"
    assert curve["said"][-1] == "share of noise 0: one child"
    assert answer["summary"].startswith("Plan: 1: 1, 0.75: 3, 0.5: 0.")
    assert answer["plot"]["y"]["high"] > 3.0


def test_the_plan_of_a_connected_preset_is_drawn_and_copied():
    request = {"node": node("SigmasmithSearchPlan", plan="preset"), "preset": [LOADER]}
    assert answer_of(request)["summary"].startswith("Plan: until 0.3.")
    assert share_code(parse_request(request), HOST) == "until 0.3"
    plain = Host({"mine": preset()}, SD15)
    assert live_curve(parse_request(request), plain)["summary"].startswith("Plan: uniform.")


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ("often", "plan: 'often' is not understood"),
        ("preset", "plan: it is that of the preset on the model"),
        ("until 2", "plan: shares of noise must fall"),
    ],
)
def test_what_is_no_plan_is_said_in_place_of_a_curve(plan, problem):
    assert answer_of({"node": node("SigmasmithSearchSampler", plan=plan)})["problem"].startswith(problem)


def test_a_plan_that_comes_through_a_link_is_drawn_elsewhere():
    linked = node("SigmasmithSearchSampler") | {"linked": ["plan"]}
    assert answer_of({"node": linked})["problem"].startswith("plan: it comes through a link")


def test_a_preset_that_holds_something_else_as_its_plan_is_named():
    made = dataclasses.replace(KEPT.made, more={"search_plan": 3})
    odd = Host({"mine": dataclasses.replace(KEPT, made=made)}, SD15)
    request = parse_request({"node": node("SigmasmithSearchPlan", plan="preset"), "preset": [LOADER]})
    assert live_curve(request, odd)["problem"] == "plan: the preset's search_plan is no line of text"


SHARES = st.floats(0.0, 1.2).map(lambda share: f"{share:.3g}")
LINES = st.lists(st.tuples(SHARES, SHARES), max_size=4).map(
    lambda pairs: ", ".join(f"{share}: {number}" for share, number in pairs)
)


@given(
    st.one_of(LINES, SHARES.map("until {}".format), st.text(max_size=20), st.none(), st.booleans(), st.integers(-5, 99))
)
def test_any_line_gives_a_drawing_from_left_to_right_or_a_sentence(line):
    answer = answer_of({"node": node("SigmasmithSearchPlan", plan=line)})
    if answer.keys() == {"problem"}:
        assert answer["problem"].startswith("plan: ")
        return
    points = answer["plot"]["curves"][0]["points"]
    places = [point[0] for point in points]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 1.0)
    assert all(point[1] is None or 0.0 < point[1] <= answer["plot"]["y"]["high"] for point in points)
