"""The overhead benchmark times what it says."""

from __future__ import annotations

import warnings

import pytest
from sigmasmith.benchmarks.family import overhead

from ...processor import cost, ten_milliseconds


@pytest.fixture
def k_diffusion():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports' deprecations
        return pytest.importorskip("k_diffusion.sampling", reason="pip install k-diffusion to time its dpmpp_2m")


@pytest.mark.slow
def test_it_prints_both_samplers_the_list_and_the_size_of_the_data(k_diffusion, capsys, monkeypatch):
    monkeypatch.setattr(overhead, "SHAPE", (1, 4, 8, 8))
    overhead.main([])
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("dpmpp_2m ")
    assert "sigmasmith_multistep" in first
    assert first.endswith("ms a step, cpu")
    assert last.startswith("a list ")
    assert "the data file" in last


def test_a_list_takes_less_than_a_millisecond_of_an_idle_core():
    assert cost(lambda: overhead.list_time(repeats=50), ten_milliseconds) / 50 < 0.1
