"""The chart's lines and names are where they can be read."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from sigmasmith.benchmarks.field.chart import Line, chart_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_names_at_the_ends_of_close_lines_do_not_overlap():
    lines = [Line(f"line {i}", [(5, 0.1), (20, 0.01 + 1e-5 * i)], strong=i == 3) for i in range(6)]
    root = ElementTree.fromstring(chart_svg("a < b", "steps", lines))
    rows = [float(t.get("y", "")) for t in root.iter(f"{SVG}text") if (t.text or "").startswith("line ")]
    assert len(rows) == 6
    assert min(b - a for a, b in pairwise(sorted(rows))) >= 15 - 1e-6
    assert max(rows) < 420
    assert root.findtext(f"{SVG}title") == "a < b"


def test_a_lower_error_is_lower_and_more_steps_are_to_the_right():
    root = ElementTree.fromstring(chart_svg("t", "steps", [Line("one", [(4, 0.2), (8, 0.05), (20, 0.01)])]))
    dots = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in root.iter(f"{SVG}circle")]
    assert dots == sorted(dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    assert "one: 0.2 at 4 steps, 0.05 at 8 steps, 0.01 at 20 steps." in (root.findtext(f"{SVG}desc") or "")


def test_a_chart_of_nothing_is_refused():
    with pytest.raises(ValueError, match="lines must hold at least one point"):
        chart_svg("t", "steps", [Line("empty", [])])
