"""Runs of the family from the middle of its lists, on a model of the demo."""

from __future__ import annotations

import pytest
from sigmasmith.benchmarks.family import middle
from sigmasmith.benchmarks.family.subjects import Training
from sigmasmith.schedules.family.learned import load_family


@pytest.mark.slow
def test_the_family_from_the_middle_is_no_worse_than_dpmpp_2m(monkeypatch):
    monkeypatch.setattr(middle, "STARTS", ((10, 3), (10, 6)))
    monkeypatch.setattr(middle, "_ROWS", 3)
    told = middle.gains(load_family(), Training("glyphs_flow", 3.0, True))
    for (start, _), said in zip(told, ("step 3, sigma 0.75", "step 6, sigma 0.38"), strict=True):
        assert start.startswith(f"10 steps from {said}, error 0.0")
    for _, against in told:
        assert list(against) == ["dpmpp_2m on it", "karras", "simple"]
        assert min(against.values()) > 0.95
