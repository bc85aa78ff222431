"""Bad input to a real ComfyUI server: it is named, and nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.file import load_preset, save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import to_share_code

from .answers import error_of, ok, preset_file, text_of
from .graphs import node
from .pack_graphs import fit_graph, use_graph
from .server import PromptRejectedError

pytestmark = [pytest.mark.host, pytest.mark.slow]


def test_bad_inputs_name_the_input_and_what_to_do(server, sd3):
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"sampler_name": "dpmp_2m"}, ["sampler_name", "dpmpp_2m"]),
        ({"sampler_name": "dpm_adaptive"}, ["sampler_name", "ignores"]),
        ({"steps": "0"}, ["steps"]),
        ({"steps": "ten"}, ["steps", "'ten'"]),
        ({"steps": ""}, ["steps"]),
        ({"noises": 2}, ["noises"]),
        ({"name": "../../out"}, ["name"]),
        ({"name": "C:\\out"}, ["name"]),
        ({"name": "sd3", "denoise": 0.5}, ["name", "denoise", "refit"]),
        ({"name": "SD3"}, ["name", "case"]),
    ]
    for changed, words in cases:
        said = error_of(server, fit_graph("tiny_sd3", **changed))
        assert all(word in said for word in words), said
    graph = use_graph()
    graph["schedule"] = node("SigmasmithSchedule", preset=["preset", 0], steps=4, denoise=0.0, mode="noise level")
    graph["show"] = node("PreviewAny", source=["schedule", 2])
    assert "passes through" in text_of(ok(server.run(graph)), "schedule")
    graph["schedule"]["inputs"]["denoise"] = -0.5
    assert "denoise" in error_of(server, graph)
    assert "sd3" in error_of(server, use_graph("sd4"))
    cut = to_share_code(load_preset(preset_file(server, "sd3")))[:-5]
    assert "cut" in error_of(server, use_graph(cut))
    save_preset(preset_file(server, "another_kind"), noise_prediction_preset())
    other = use_graph("another_kind", "tiny_sd3")
    assert "preset" in error_of(server, other)
    assert "noise-prediction" in error_of(server, other)


def test_what_is_mistyped_is_one_error_on_its_input_before_anything_runs(server, sd3):
    cases = [
        (fit_graph("tiny_sd3", steps="5, ten"), "fit", "steps", "'ten'"),
        (fit_graph("tiny_sd3", name="../out"), "fit", "name", "../out"),
        (fit_graph("tiny_sd3", sampler_name="dpmp_2m"), "fit", "sampler_name", "dpmpp_2m"),
        (fit_graph("tiny_sd3", sampler_name="euler_ancestral", choose_sampler=True), "fit", "choose_sampler", "noise"),
        (use_graph("sd4"), "preset", "preset", "sd3"),
    ]
    for graph, where, name, words in cases:
        with pytest.raises(PromptRejectedError) as refused:
            server.run(graph)
        found = refused.value.reply["node_errors"]
        assert list(found) == [where], found
        (error,) = found[where]["errors"]
        assert error["type"] == "custom_validation_failed"
        assert error["extra_info"]["input_name"] == name
        assert words in error["details"]


def noise_prediction_preset() -> Preset:
    """A preset for a model that tiny_sd3 is not."""
    model = ModelIdentity(family="SD15", prediction="eps", sigma_min=0.0292, sigma_max=14.6146, flow=False)
    return Preset(schedules={4: CURVES["karras"](4, 0.0292, 14.6146)}, sampler="euler", model=model)


def test_hostile_names_write_nothing_outside_the_folder(server, sd3):
    before = set(server.base.rglob("*.safetensors"))
    for name in ("../escape", "/tmp/escape", "a/../../escape", "NUL", "x\\y", "", "trailing. "):
        graph = {
            "preset": node("SigmasmithLoadPreset", preset="sd3", share_code=""),
            "store": node(
                "SigmasmithSavePreset",
                preset=["preset", 0],
                name=name,
                author="",
                licence="",
                notes="",
                overwrite=True,
            ),
        }
        assert "name" in error_of(server, graph)
    for name in ("../sd3", "/etc/passwd", "..\\sd3"):
        assert "preset" in error_of(server, use_graph(name))
    assert set(server.base.rglob("*.safetensors")) == before
