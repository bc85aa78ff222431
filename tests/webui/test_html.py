"""The panel's texts and pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.webui.answers import Slicing, answer
from sigmasmith.webui.panel import html
from sigmasmith.webui.registration import OPTIMAL

VE = SigmaRange(0.029167158529162407, 14.614641189575195)
FLOW = SigmaRange(0.003, 1.0, flow=True)


@pytest.mark.parametrize("sigma_range", [VE, FLOW], ids=["noise", "flow"])
@pytest.mark.parametrize("slicing", [Slicing(8, 8), Slicing(10, 6, 0.5)], ids=["whole", "img2img"])
def test_what_will_run_stands_among_the_hosts_own_curves(sigma_range, slicing):
    picture = html.plot(answer(OPTIMAL, slicing, sigma_range), slicing, sigma_range, dark=False)
    for name in ("will run", "simple", "beta"):
        assert name in picture


def test_the_tools_own_lists_are_not_warned_of_their_last_step_and_a_pasted_one_is():
    steps, slicing = [14.614641189575195, 3.0, 0.86, 0.0], Slicing(3, 3)
    model = ModelIdentity(sigma_min=VE.sigma_min, sigma_max=VE.sigma_max, flow=False)
    fitted = Preset(schedules={3: torch.tensor(steps)}, sampler="euler", model=model)
    pasted = replace(fitted, sampler="", exact=True)
    for preset, said in ((fitted, False), (pasted, True), (None, False)):
        schedule = answer(OPTIMAL, slicing, VE, preset=preset)
        assert ("last step jumps" in html.plot(schedule, slicing, VE, dark=False)) is said
        if preset is not None:
            assert ("last step jumps" in html.preset_plot(preset, False)) is said


def test_a_text_is_never_markup():
    assert "<script>" not in html.lines(["<script>"]) + html.report(["<script>", "a\n<script>"])
