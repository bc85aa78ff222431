"""The benchmark's samplers end where a real ComfyUI's end, and cost what they are said to cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sigmasmith.benchmarks.field.host_samplers import host_samplers
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.hosting.named_curves import CURVES

from ...host.locate import answer_of, find_host
from ...host.sampler_reference import Clusters

RANGES = {False: SigmaRange(0.0292, 14.6146), True: SigmaRange(0.003 / 1.002, 1.0, flow=True)}
NAMES = tuple(host_samplers(RANGES[False]))
# Largest difference of a value in float64, end states being about 1; the host's deis sums 10,000 points in float32.
TOLERANCE, DEIS = 1e-6, 5e-4


def cases() -> list[dict[str, Any]]:
    draw = torch.Generator().manual_seed(0)
    found = []
    for flow, known in RANGES.items():
        for steps in (3, 4, 5, 10):
            sigmas = CURVES["karras"](steps, known.sigma_min, known.sigma_max)
            x = known.sigma_max * torch.randn(4, 6, generator=draw)
            found.append({"flow": flow, "x": x.tolist(), "sigmas": sigmas.tolist()})
    return found


@pytest.fixture(scope="module")
def ends() -> dict[str, list[Any]]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    script = Path(__file__).with_name("host_sampler_ends.py")
    return answer_of(script, host=host, asked={"names": NAMES, "cases": cases()})


@pytest.mark.host
@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_ends_where_the_hosts_of_that_name_ends(ends, name):
    if name not in ends:
        pytest.skip(f"this ComfyUI has no {name}")
    for case, theirs in zip(cases(), ends[name], strict=True):
        x, sigmas = torch.tensor(case["x"]).double(), torch.tensor(case["sigmas"]).double()
        ours = host_samplers(RANGES[case["flow"]])[name].run(Clusters(case["flow"]), x, sigmas)
        apart = float((ours - torch.tensor(theirs)).abs().max())
        assert apart < (DEIS if name == "deis" else TOLERANCE), (
            f"{len(sigmas) - 1} steps, {'flow' if case['flow'] else 'VE'}"
        )


@pytest.mark.host
def test_the_tolerance_would_show_a_sampler_under_another_name(ends):
    for name, other in (("ipndm_v", "lms"), ("uni_pc", "uni_pc_bh2"), ("dpm_2", "heun"), ("heunpp2", "heun")):
        apart = [float((torch.tensor(a) - torch.tensor(b)).abs().max()) for a, b in zip(ends[name], ends[other])]
        assert max(apart) > 10 * DEIS, name


@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_makes_as_many_calls_as_it_says(name):
    sampler, model, known = host_samplers(RANGES[False])[name], Clusters(False), RANGES[False]
    for calls in (4, 5, 6, 8, 11, 20):
        sigmas = sampler.sigmas(lambda steps: CURVES["karras"](steps, known.sigma_min, known.sigma_max), calls)
        assert sigmas is not None
        made = 0

        def counted(x, sigma, **_):
            nonlocal made
            made += 1
            return model(x, sigma)

        sampler.run(counted, 14.6 * torch.ones(2, 6), sigmas)
        assert made == sampler.calls(len(sigmas) - 1) <= calls


def test_a_sampler_that_drops_the_last_sigma_but_one_asks_for_one_step_more():
    sigmas = host_samplers(RANGES[False])["dpm_2"].sigmas(lambda steps: torch.arange(steps, -1.0, -1.0), 7)
    assert sigmas is not None
    assert sigmas.tolist() == [5.0, 4.0, 3.0, 2.0, 0.0]
