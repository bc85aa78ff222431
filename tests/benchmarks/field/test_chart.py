"""The chart's lines and names are where they can be read."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from sigmasmith.benchmarks.field.chart import Line, chart_svg

SVG = "{http://www.w3.org/2000/svg}"
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def test_names_at_the_ends_of_close_lines_do_not_overlap():
    lines = [Line(f"line {i}", [(5, 0.1), (20, 0.01 + 1e-5 * i)], strong=i == 3) for i in range(6)]
    root = ElementTree.fromstring(chart_svg("a < b", "steps", lines))
    names = [text for text in root.iter(f"{SVG}text") if (text.text or "").startswith("line ")]
    rows = [float(name.get("y", "")) for name in names]
    assert len(rows) == 6
    # Letters of 9 points.
    assert min(b - a for a, b in pairwise(sorted(rows))) >= 10.5
    assert 0 < min(rows) < max(rows) < float(root.get("viewBox", "").split()[3])
    assert root.findtext(f"{SVG}title") == "a < b"


def test_a_lower_error_is_lower_and_more_steps_are_to_the_right():
    root = ElementTree.fromstring(chart_svg("t", "steps", [Line("one", [(4, 0.2), (8, 0.05), (20, 0.01)])]))
    marks = [use for use in root.iter(f"{SVG}use") if "#6b7280" in use.get("style", "")]
    dots = [(float(mark.get("x", "")), float(mark.get("y", ""))) for mark in marks]
    assert len(dots) == 3
    assert dots == sorted(dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    words = root.findtext(f".//{DESCRIPTION}") or ""
    assert "one: 0.2 at 4 steps, 0.05 at 8 steps, 0.01 at 20 steps." in words


def test_equal_lines_give_equal_bytes():
    lines = [Line("one", [(4, 0.2), (8, 0.05)])]
    assert chart_svg("t", "steps", lines) == chart_svg("t", "steps", lines)


def test_a_chart_of_nothing_is_refused():
    with pytest.raises(ValueError, match="lines must hold at least one point"):
        chart_svg("t", "steps", [Line("empty", [])])
