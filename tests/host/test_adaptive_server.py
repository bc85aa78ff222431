"""The adaptive sampler and the adaptive schedule in a real ComfyUI server, as the page uses them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sigmasmith.schedules.presets.file import load_preset

from .answers import text_of
from .graphs import Graph, node, text_to_image
from .server import ComfyServer, PromptRejectedError, Result, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PREDICTIVE, EMBEDDED_2, EMBEDDED_3 = (
    "predictive (no step taken back)",
    "embedded 2 (Euler and Heun)",
    "embedded 3 (second and third order)",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("comfy")
    make_tiny_models(host, base / "models")
    with ComfyServer(host, base, pack=ROOT) as running:
        yield running


def ok(result: Result) -> Result:
    assert result.status == "success", json.dumps(result.error, indent=1)
    return result


def messages(server: ComfyServer, graph: Graph) -> list[str]:
    """What the pack says on the page during a run that must succeed."""
    server.events.clear()
    ok(server.run(graph))
    time.sleep(0.1)  # messages pass through the host's queue
    return [message["text"] for message in server.events.of_type("sigmasmith.message")]


def error_of(server: ComfyServer, graph: Graph) -> str:
    try:
        result = server.run(graph)
    except PromptRejectedError as refused:
        errors = refused.reply["node_errors"].values()
        return " ".join(f"{error['details']} {error['message']}" for entry in errors for error in entry["errors"])
    assert result.status == "error", result
    assert result.error is not None
    return result.error["exception_message"]


def adaptive_graph(model: str = "tiny_sd3", batch: int = 1, mask: bool = False, **settings: Any) -> Graph:
    """SamplerCustom with the node called adaptive."""
    graph = text_to_image(model, batch=batch)
    given = graph["sample"]["inputs"]
    graph["sigmas"] = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=10, denoise=1.0)
    inputs: dict[str, Any] = {"calls": 8, "tolerance": 0.0, "method": PREDICTIVE}
    graph["adaptive"] = node("SigmasmithAdaptiveSampler", **(inputs | settings))
    graph["sample"] = node(
        "SamplerCustom",
        add_noise=True,
        noise_seed=3,
        sampler=["adaptive", 0],
        sigmas=["sigmas", 0],
        **{name: given[name] for name in ("model", "cfg", "positive", "negative", "latent_image")},
    )
    if mask:
        graph["mask"] = node("SolidMask", value=1.0, width=64, height=64)
        graph["masked"] = node("SetLatentNoiseMask", samples=["latent", 0], mask=["mask", 0])
        graph["sample"]["inputs"]["latent_image"] = ["masked", 0]
    return graph


def schedule_graph(model: str = "tiny_sd3", **settings: Any) -> Graph:
    """The node called frozen."""
    graph = text_to_image(model)
    for unused in ("sample", "decode", "save"):
        del graph[unused]
    inputs: dict[str, Any] = {
        "model": ["load", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent": ["latent", 0],
        "cfg": 5.0,
        "sampler_name": "dpmpp_2m",
        "steps": "4, 6",
        "noises": 2,
        "pilot_calls": 12,
        "calibration_seed": 0,
        "name": "frozen",
        "refit": False,
    }
    graph["frozen"] = node("SigmasmithAdaptiveSchedule", **(inputs | settings))
    return graph


def test_the_name_is_in_the_sampler_dropdown_once(server):
    for node_id in ("KSampler", "KSamplerAdvanced", "KSamplerSelect"):
        kind, *options = server.object_info(node_id)["input"]["required"]["sampler_name"]
        names = kind if isinstance(kind, list) else options[0]["options"]
        assert names.count("sigmasmith_adaptive") == 1
        assert names[0] == "euler"


@pytest.mark.parametrize("model", ["tiny_sd3", "tiny_sd15"])
def test_the_node_samples_and_says_which_levels_it_took(server, model):
    said = messages(server, adaptive_graph(model))
    assert len(said) == 1
    assert "8 model calls for 1 image, method predictive." in said[0]
    assert "Image 1: 7 steps" in said[0]
    assert said[0].count(", ") > 7


@pytest.mark.parametrize("method", [EMBEDDED_2, EMBEDDED_3])
def test_the_embedded_methods_sample_to_a_tolerance(server, method):
    said = messages(server, adaptive_graph(calls=60, tolerance=0.05, method=method))
    assert f"method embedded_{method[9]}" in said[0]


def test_a_batch_with_a_mask_and_limits_samples(server):
    said = messages(server, adaptive_graph(batch=2, mask=True, max_step=1.0, min_step=0.01))
    assert "8 model calls for 2 images" in said[0]
    assert "Image 2:" in said[0]


def test_the_dropdown_entry_samples_with_one_call_per_step_and_at_denoise_below_1(server):
    runs = [({}, "5 model calls for 1 image"), ({"denoise": 0.5}, "5 model calls"), ({"steps": 1}, "1 model call for")]
    for settings, wanted in [*runs, ({"batch": 2}, "5 model calls for 2 images")]:
        before = len(server.log())
        ok(server.run(text_to_image("tiny_sd3", sampler="sigmasmith_adaptive", **settings)))
        assert wanted in server.log()[before:]


def test_the_bar_of_the_host_reaches_its_end(server):
    server.events.clear()
    ok(server.run(adaptive_graph(calls=14)))
    progress = [message for message in server.events.of_type("progress") if message.get("node") == "sample"]
    assert progress
    assert max(message["value"] for message in progress) == 10 == progress[-1]["max"]


def test_a_schedule_is_made_saved_and_served_by_its_scheduler_name(server):
    result = ok(server.run(schedule_graph()))
    report = result.outputs["frozen"]["text"][0]
    assert "Pilot run: 12 model calls on each of 2 noises" in report
    assert "sigmasmith_adaptive" in report
    assert len(result.outputs["frozen"]["images"]) == 2
    preset = load_preset(server.base / "models" / "sigmasmith" / "frozen.safetensors")
    assert {4, 6, 20} <= set(preset.schedules)
    assert set(preset.errors) == {4, 6}
    use = text_to_image("tiny_sd3", steps=6, sampler="dpmpp_2m", scheduler="sigmasmith_adaptive")
    use["preset"] = node("SigmasmithLoadPreset", preset="frozen", share_code="")
    use["apply"] = node("SigmasmithApply", model=["load", 0], preset=["preset", 0])
    use["sample"]["inputs"]["model"] = ["apply", 0]
    assert messages(server, use) == []
    again = schedule_graph()
    again["positive"]["inputs"]["text"] = "a green boat"
    assert "no model call" in ok(server.run(again)).outputs["frozen"]["text"][0]


def test_no_error_is_in_the_log(server):
    lines = server.log().splitlines()
    assert server.import_failures() == []
    assert [line for line in lines if "!!! Exception" in line] == []


# From here on errors are asked for.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"calls": 1}, ["calls", "2"]),
        ({"calls": 0}, ["calls", "2"]),
        ({"tolerance": -0.1}, ["tolerance", "0"]),
        ({"method": "magic"}, ["method"]),
        ({"min_step": 0.0}, ["min_step"]),
    ],
)
def test_bad_settings_of_the_sampler_name_the_input(server, settings, words):
    said = error_of(server, adaptive_graph(**settings))
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"steps": "none"}, "steps"),
        ({"sampler_name": "sigmasmith_adaptive"}, "sampler_name"),
        ({"sampler_name": "dpmp_2m"}, "sampler_name"),
        ({"pilot_calls": 3}, "pilot_calls"),
        ({"name": "../out"}, "name"),
    ],
)
def test_bad_settings_of_the_schedule_name_the_input(server, settings, word):
    assert word in error_of(server, schedule_graph(**settings))


def test_another_step_count_runs_the_frozen_preset_and_is_told(server):
    ok(server.run(schedule_graph(steps="4", refit=True)))
    said = text_of(ok(server.run(schedule_graph(steps="7"))), "frozen")
    assert "It holds 4, 5, 6, 8, " in said
    assert ", not 7." in said
    assert "7 steps: interpolated from 4, 5, 6, 8, " in said
