"""The adaptive benchmark measures what it says."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.studies import adaptive
from sigmasmith.schedules.hosts.schedules import host_schedules

pytestmark = [
    pytest.mark.slow,
    # k-diffusion 0.1.1 imports packages that deprecate what they import.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


@pytest.fixture
def k_diffusion():
    """What is compared with; it does not install beside the newest numpy."""
    pytest.importorskip("k_diffusion.sampling", reason="pip install k-diffusion to compare with it")


@pytest.fixture(scope="module")
def cases():
    torch.manual_seed(0)
    return {key: adaptive.mixture_case(key) for key in ("mixture_eps:4", "mixture_flow:1")}


def test_the_references_are_converged(cases):
    for case in cases.values():
        ours, _ = case.adaptive(calls=200)
        assert ours < 2e-4
        fine = host_schedules(case.sigma_range)["beta"](1000)
        assert case.dpmpp_2m(fine) < 5e-3


@pytest.mark.usefixtures("k_diffusion")
def test_ours_runs_with_exactly_as_many_calls_as_dpm_adaptive(cases, monkeypatch):
    monkeypatch.setattr(adaptive, "RTOLS", (0.05, 0.8))
    case = cases["mixture_eps:4"]
    runs = list(adaptive.dpm_adaptive_runs(case))
    assert {order for order, _, _ in runs} == {2, 3}
    for _, calls, error in runs:
        assert adaptive.CALLS[0] <= calls <= adaptive.CALLS[1]
        ours, report = case.adaptive(calls=calls)
        assert report.calls == calls
        assert 0.0 < ours < error


@pytest.mark.usefixtures("k_diffusion")
def test_a_run_beyond_the_range_of_calls_is_left_out(cases, monkeypatch):
    monkeypatch.setattr(adaptive, "RTOLS", (1e-6,))
    assert list(adaptive.dpm_adaptive_runs(cases["mixture_flow:1"])) == []


@pytest.mark.usefixtures("k_diffusion")
def test_the_overhead_is_a_time_per_step():
    lines = adaptive.overhead(repeats=1, steps=4)
    assert len(lines) == 4
    assert "dpmpp_2m" in lines[0]
    assert all(" ms: " in line for line in lines[1:])
