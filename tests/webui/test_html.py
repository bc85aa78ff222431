"""The panel's texts and pictures."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.core.noise_space import SigmaRange
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


def test_a_text_is_never_markup():
    assert "<script>" not in html.lines(["<script>"]) + html.report(["<script>", "a\n<script>"])
