"""Auto's live curve: the preset that its run will take, else the family, and what the page cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sigmasmith.nodes.page.live_curve import live_curve
from sigmasmith.nodes.page.live_request import parse_request
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.samplers.fitted import NAME

from .page_presets import CHECKPOINT, SD15, Host, node, preset

MINE = preset((8,), replace(SD15, patches=""), sampler=NAME, guidance=7.0, name="auto/sd, 8 steps, cfg 7")


def auto(presets: dict[str, Preset] | None = None, chain: list[Any] | None = None, **run: Any) -> dict[str, Any]:
    sampling = {"steps": 8, "cfg": 7.0, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0} | run
    request = {
        "node": node("SigmasmithAuto", tune="quick", use="fitted", keep_sampler=False),
        "model": chain or [CHECKPOINT],
        "run": node("KSampler", **sampling),
    }
    return live_curve(parse_request(request), Host(presets, SD15))


def drawn(answer: dict[str, Any]) -> list[float]:
    return [point[2] for point in answer["plot"]["curves"][0]["points"]]


def test_the_preset_that_the_run_takes_is_drawn_and_named():
    answer = auto({MINE.name: MINE})
    assert drawn(answer) == pytest.approx(MINE.sigmas(8).tolist(), rel=1e-6)
    assert answer["summary"].startswith("8 steps of the preset auto/sd, 8 steps, cfg 7, with ")


def test_a_schedule_of_the_host_that_won_is_named_as_it_is_after_the_run():
    won = replace(MINE, origin={8: "beta"}, errors={8: {"fitted": 0.2, "beta": 0.1}})
    said = "8 steps of the preset auto/sd, 8 steps, cfg 7 (the host's beta won there), with "
    assert auto({MINE.name: won})["summary"].startswith(said)


@pytest.mark.parametrize("run", [{"cfg": 3.0}, {"steps": 9}])
def test_without_one_for_this_run_the_family_is_drawn(run):
    answer = auto({MINE.name: MINE}, **run)
    steps = run.get("steps", 8)
    family = family_schedule(steps, sigma_min=SD15.sigma_min, sigma_max=SD15.sigma_max, flow=False).sigmas
    assert drawn(answer) == pytest.approx(family.tolist(), rel=1e-5)
    assert "the first picture tunes it" in answer["summary"]
    assert answer["warnings"] == []


def test_what_only_a_run_can_tell_is_said():
    lora = node("LoraLoaderModelOnly", lora_name="x")
    assert "LoraLoaderModelOnly" in auto(chain=[CHECKPOINT, lora])["hint"]
    assert auto(chain=[CHECKPOINT, node("ModelSamplingDiscrete")])["hint"] == ""


@pytest.mark.parametrize(
    ("run", "said"),
    [({"denoise": 0.5}, "middle of the noise"), ({"steps": 60}, "3 to 30"), ({"start_at_step": 3}, "middle")],
)
def test_a_run_that_stays_as_set_has_no_curve(run, said):
    assert said in auto(**run)["problem"]


def test_the_switch_is_heeded():
    request = {"node": node("SigmasmithAuto", use="as set in the sampler"), "model": [CHECKPOINT]}
    assert live_curve(parse_request(request), Host({}, SD15))["problem"].startswith("use: ")
