"""One preset, one result: ComfyUI's layer, the WebUI's and Python give the same sigmas to the last bit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes import registration
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.file import from_bytes, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.webui.answers import Slicing, answer
from sigmasmith.webui.registration import ADAPTIVE, OPTIMAL

# (sigma_min, sigma_max, flow): SD 1.5 and SDXL, SD3 with shift 3, Flux with shift 3.158.
RANGES = {
    "sd": (0.029167158529162407, 14.614641189575195, False),
    "sd3": (0.0029940120, 1.0, True),
    "flux": (0.00031569, 1.0, True),
}
COUNTS = (1, 2, 5, 8, 10, 20)


def preset(kind: str) -> Preset:
    """As it comes out of a file."""
    low, high, flow = RANGES[kind]
    model = ModelIdentity(sigma_min=low, sigma_max=high, flow=flow)
    schedules = {count: CURVES["tangent"](count, low, high, flow=flow) for count in COUNTS}
    return from_bytes(to_bytes(Preset(schedules=schedules, sampler="dpmpp_2m", model=model)))


def in_comfyui(mine: Preset, steps: int, name: str = "sigmasmith_optimal", drops: bool = False) -> torch.Tensor:
    """What a KSampler gets from the dropdown, its own drop of the last but one sigma included."""
    model = mine.model
    sampling: Any = SimpleNamespace(sigma_min=model.sigma_min, sigma_max=model.sigma_max, sigmasmith_preset=mine)
    asked = steps + drops
    sigmas = registration.scheduled(
        name, sampling, asked, drops_penultimate=lambda _: drops, is_flow=lambda _: model.flow
    )
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if drops else sigmas


def in_the_webui(mine: Preset, slicing: Slicing, mode: Any = "steps", name: str = OPTIMAL) -> torch.Tensor:
    """What a sampler of the host gets: its drop, then its slice."""
    sigmas = answer(name, slicing, mine.model.sigma_range, preset=mine, mode=mode).given
    if slicing.drops:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    return sigmas[slicing.total - slicing.runs :]


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("steps", COUNTS)
@pytest.mark.parametrize("kind", RANGES)
def test_at_denoise_1_for_fitted_counts(kind, steps, drops):
    mine = preset(kind)
    python = mine.sigmas(steps)
    assert torch.equal(in_comfyui(mine, steps, drops=drops), python)
    assert torch.equal(in_comfyui(mine, steps, "sigmasmith_adaptive", drops=drops), python)
    for name in (OPTIMAL, ADAPTIVE):
        assert torch.equal(in_the_webui(mine, Slicing(steps, steps, drops=drops), name=name), python)


@given(
    kind=st.sampled_from(sorted(RANGES)),
    asked=st.integers(1, 60),
    denoise=st.floats(0.05, 0.999),
    fix_steps=st.booleans(),
    drops=st.booleans(),
)
@pytest.mark.slow
def test_below_1_in_noise_level_mode(kind, asked, denoise, fix_steps, drops):
    mine = preset(kind)
    if fix_steps:
        slicing = Slicing(int(asked / denoise), asked, denoise, drops)
    else:
        slicing = Slicing(asked, int(denoise * asked) + 1, denoise, drops)
    # ComfyUI's Sigmasmith Schedule calls the same function with the same arguments.
    python = mine.sigmas(slicing.runs, denoise, mode="noise_level")
    assert torch.equal(in_the_webui(mine, slicing, "noise_level"), python)


def test_through_the_plain_dropdown_each_host_cuts_as_it_does():
    mine = preset("sd")
    # 10 steps at 0.5: ComfyUI asks for 20 and runs the last 10; the WebUIs ask for 10 and run the last 6.
    comfy = in_comfyui(mine, int(10 / 0.5))[-11:]
    webui = in_the_webui(mine, Slicing(10, int(0.5 * 10) + 1, 0.5))
    assert torch.equal(comfy, mine.sigmas(10, 0.5))
    assert torch.equal(webui, mine.sigmas(10)[-7:])
    assert (len(comfy), len(webui)) == (11, 7)
