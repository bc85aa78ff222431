"""Figures in print say whether what was asked is reached."""

from __future__ import annotations

import math

import pytest
from sigmasmith.benchmarks.asked import average, verdict


def test_a_verdict_knows_which_side_is_better():
    assert verdict("", 1.0, 1.0).endswith(" reached")
    assert verdict("", 0.9, 1.0).endswith("NOT REACHED")
    assert verdict("", 0.99, 1.0).endswith("NOT REACHED")
    assert verdict("", 0.9, 1.0, most=True).endswith(" reached")


def test_an_average_is_geometric_and_that_of_nothing_is_no_number():
    assert average([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(average([]))
