"""Our host-free samplers against a real ComfyUI's functions of the same names, end state by end state, in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

from .locate import answer_of, find_host
from .sampler_reference import Clusters

pytestmark = pytest.mark.host

NAMES = [*MULTISTEP_RULES, "heun"]
STEPS = (1, 2, 5, 10)
# Largest difference of a value, end states being about 1: float32 rounding.
TOLERANCE = 5e-6
# The host sums 10,000 points where we integrate, and counts one of the two ends too often.
DEIS = 5e-4


def cases() -> list[dict[str, Any]]:
    draw = torch.Generator().manual_seed(0)
    found = []
    for flow, low, high in ((False, 0.0292, 14.6146), (True, 0.003, 1.0)):
        for steps in STEPS:
            sigmas = CURVES["karras"](steps, low, high)
            start = high * torch.randn(4, 6, generator=draw)
            found.append({"flow": flow, "x": start.tolist(), "sigmas": sigmas.tolist()})
    return found


@pytest.fixture(scope="module")
def ends() -> dict[str, list[Any]]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    script = Path(__file__).with_name("sampler_reference.py")
    return answer_of(script, host=host, asked={"names": NAMES, "cases": cases()})


@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_ends_where_the_hosts_of_that_name_ends(ends, name):
    for case, theirs in zip(cases(), ends[name], strict=True):
        x, sigmas = torch.tensor(case["x"]), torch.tensor(case["sigmas"])
        ours = own_sampler(name)(Clusters(case["flow"]), x, sigmas)
        assert ours.dtype == torch.float32
        worst = float(np.abs(ours.double().numpy() - np.asarray(theirs)).max())
        where = f"{len(sigmas) - 1} steps, {'flow' if case['flow'] else 'VE'}"
        assert worst < (DEIS if name == "deis" else TOLERANCE), where


@pytest.mark.parametrize("name", ["dpmpp_2m", "ipndm", "deis", "heun"])
def test_the_tolerance_would_show_a_sampler_under_another_name(ends, name):
    other = {"dpmpp_2m": "res_multistep", "ipndm": "lms", "deis": "lms", "heun": "euler"}[name]
    apart = [float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(ends[name], ends[other])]
    assert max(apart) > 10 * DEIS
