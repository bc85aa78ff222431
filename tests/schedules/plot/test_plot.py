"""Plots hold plain numbers and words; the SVG made of them is well-formed, escaped and readable aloud."""

import json
import math
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.plot.plot import schedule_plot, sigma_text
from sigmasmith.schedules.plot.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"
SHORT = [14.6, 3.0, 0.34, 0.0]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def test_a_plot_is_json_and_holds_every_sigma():
    plot = schedule_plot({"short": SHORT}, highlight="short")
    curve = json.loads(json.dumps(plot))["curves"][0]
    assert [sigma for _, _, sigma in curve["points"]] == pytest.approx(SHORT)
    assert [level for _, level, _ in curve["points"]] == [*(round(math.log10(s), 5) for s in SHORT[:-1]), None]
    assert (curve["steps"], curve["start"], curve["last"]) == (3, pytest.approx(14.6), pytest.approx(0.34))


def test_a_large_last_step_is_said_in_words():
    assert schedule_plot({"short": SHORT})["warnings"] == ["last step jumps from 0.34 to 0"]
    assert schedule_plot({"karras": karras_sigmas(10, 0.03, 14.6)})["warnings"] == []


def test_of_a_schedule_that_runs_chose_no_large_last_step_is_said():
    curves = {"fitted": SHORT, "other": SHORT}
    assert schedule_plot(curves, highlight="fitted", measured=["fitted"])["warnings"] == []
    assert schedule_plot(curves, measured=["fitted"])["warnings"] == ["other: last step jumps from 0.34 to 0"]


def test_a_start_beside_the_models_own_is_said_in_words():
    low = schedule_plot({"low": [10.0, 0.1, 0.0]}, sigma_max=14.6)["warnings"]
    high = schedule_plot({"high": [20.0, 0.1, 0.0]}, sigma_max=14.6)["warnings"]
    assert low == ["starts at 10, below the model's 14.6"]
    assert high == ["starts at 20, above the model's 14.6"]


def test_noise_left_in_is_said_in_words():
    assert schedule_plot({"high part": [14.6, 3.0]})["warnings"] == ["stops at 3 and leaves that noise in"]


def test_only_the_highlighted_curve_warns():
    curves = {"short": SHORT, "fine": [14.6, 0.05, 0.0]}
    assert schedule_plot(curves, highlight="fine")["warnings"] == []
    assert schedule_plot(curves)["warnings"] == ["short: last step jumps from 0.34 to 0"]


def test_notes_come_first_among_the_warnings():
    plot = schedule_plot({"short": SHORT}, notes=["Fitted for shift 3, this model has 1.15."])
    assert plot["warnings"][0] == "Fitted for shift 3, this model has 1.15."


def test_flow_sigma_is_itself_the_share_of_noise():
    sigmas = [1.0, 0.22, 0.0]
    assert schedule_plot({"a": sigmas}, flow=True)["warnings"] == ["last step jumps from 0.22 to 0"]
    assert schedule_plot({"a": sigmas}, flow=False)["warnings"] == []


def test_long_schedules_are_thinned_but_keep_their_ends():
    curve = schedule_plot({"long": torch.linspace(1, 0, 10_001)})["curves"][0]
    assert curve["steps"] == 10_000
    assert len(curve["points"]) < 300
    assert curve["points"][0][2] == 1.0
    assert curve["points"][-1] == [10_000, None, 0.0]


@pytest.mark.parametrize(
    ("curves", "highlight", "named"),
    [
        ({}, None, "curves"),
        ({"a": SHORT}, "b", "highlight 'b'"),
        ({"rising": [1.0, 2.0, 0.0]}, None, "rising"),
        ({"empty": []}, None, "empty"),
        ({"nan": [1.0, math.nan, 0.0]}, None, "nan"),
    ],
)
def test_what_is_no_schedule_is_refused_by_name(curves, highlight, named):
    with pytest.raises(ValueError, match=named):
        schedule_plot(curves, highlight=highlight)


@given(
    st.lists(st.floats(1e-4, 1e3), min_size=1, max_size=60, unique_by=lambda value: round(math.log(value), 3)),
    st.integers(240, 2000),
    st.integers(180, 1200),
    st.booleans(),
)
def test_every_schedule_stays_inside_its_picture(levels, width, height, dark):
    plot = schedule_plot({"a": [*sorted(levels, reverse=True), 0.0]})
    for axis in (plot["x"], plot["y"]):
        assert axis["ticks"]
        assert all(axis["low"] <= tick["at"] <= axis["high"] for tick in axis["ticks"])
    for circle in parsed(to_svg(plot, width, height, dark)).iter(f"{SVG}circle"):
        assert 0 <= float(circle.get("cx", "nan")) <= width
        assert 0 <= float(circle.get("cy", "nan")) <= height


def test_svg_escapes_names_and_drops_control_characters():
    svg = to_svg(schedule_plot({'<b>&"\x00\x1b': SHORT}, title="a < b \x07"))
    assert "<b>" not in svg
    assert '<b>&"' in texts(svg)
    assert parsed(svg).get("aria-label") == "a < b "


def test_svg_has_a_title_and_a_description_for_screen_readers():
    root = parsed(to_svg(schedule_plot({"short": SHORT}, title="Three steps")))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Three steps"
    assert root.findtext(f"{SVG}desc") == (
        "short: 3 steps from 14.6 down to 0.34, then 0. last step jumps from 0.34 to 0."
    )


def test_dark_and_light_differ_in_their_ground_only_as_colours_do():
    plot = schedule_plot({"short": SHORT})
    light, dark = (parsed(to_svg(plot, dark=dark)).find(f"{SVG}rect") for dark in (False, True))
    assert light is not None
    assert dark is not None
    assert light.get("fill") != dark.get("fill")
    assert texts(to_svg(plot, dark=True)) == texts(to_svg(plot, dark=False))


def test_every_host_schedule_fits_into_one_legend_or_is_counted():
    schedules = host_schedules(SigmaRange(0.0292, 14.6146))
    plot = schedule_plot({name: schedule(10) for name, schedule in schedules.items()})
    said = texts(to_svg(plot, 640, 700))
    assert all(name in said for name in schedules)
    assert any(text.startswith("and ") and text.endswith(" more") for text in texts(to_svg(plot, 640, 300)))


@pytest.mark.parametrize(("width", "height", "named"), [(10, 400, "width"), (640, 10, "height")])
def test_a_picture_too_small_names_its_side(width, height, named):
    with pytest.raises(ValueError, match=named):
        to_svg(schedule_plot({"short": SHORT}), width, height)


@pytest.mark.parametrize(
    ("sigma", "text"), [(14.6146, "14.6"), (0.34, "0.34"), (0.0291671, "0.0292"), (1.0, "1"), (120.4, "120"), (0, "0")]
)
def test_sigmas_are_written_as_a_person_reads_them(sigma, text):
    assert sigma_text(sigma) == text
