"""Presets in use in a real ComfyUI server, over HTTP and the websocket, as the page uses it.

The tests run from top to bottom; those that end in errors are in the files after this one.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sigmasmith.schedules.presets.file import load_preset, save_preset
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import to_share_code

from .answers import ok, pixels, preset_file, said_by, text_of
from .graphs import node, text_to_image
from .pack_graphs import STEPS, custom_sampler, fit_graph, use_graph
from .server import ComfyServer

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
OURS = ["sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"]
NODE_IDS = list(json.loads((ROOT / "node_list.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module", autouse=True)
def log_before(server: ComfyServer) -> int:
    """Length of the log before this file's prompts: other files send bad ones to the same server."""
    return len(server.log())


def test_the_pack_loads_with_every_node_and_three_schedulers(server):
    assert server.import_failures() == []
    for node_id in NODE_IDS:
        described = server.object_info(node_id)
        assert "Sigmasmith" in described["display_name"]
        assert described["description"]
    for node_id in ("KSampler", "KSamplerAdvanced", "BasicScheduler"):
        kind, *options = server.object_info(node_id)["input"]["required"]["scheduler"]
        names = kind if isinstance(kind, list) else options[0]["options"]
        assert names[-3:] == OURS
        assert names[0] == "simple"


def test_a_plain_ksampler_uses_the_preset_silently(server, sd3):
    assert said_by(server, use_graph()) == []
    assert said_by(server, use_graph(denoise=0.5, steps=3)) == []
    assert said_by(server, use_graph(batch=2)) == []
    ours, theirs = ok(server.run(use_graph(seed=3))), ok(server.run(text_to_image("tiny_sd3", steps=STEPS, seed=3)))
    assert pixels(server, ours) != pixels(server, theirs)


def test_the_plain_list_runs_without_the_pack_and_gives_the_same_image(server, sd3):
    if not server.object_info("ManualSigmas"):
        pytest.skip("this host has no ManualSigmas node")
    graph = custom_sampler(use_graph(seed=4), ["schedule", 0])
    graph["schedule"] = node(
        "SigmasmithSchedule", preset=["preset", 0], steps=STEPS, denoise=1.0, mode="host (keep the steps)"
    )
    graph["show"] = node("PreviewAny", source=["schedule", 1])
    result = ok(server.run(graph))
    listed = text_of(result, "show")
    assert "e" not in listed
    assert "steps will run" in text_of(result, "schedule")
    plain = custom_sampler(text_to_image("tiny_sd3", seed=4), ["manual", 0])
    plain["manual"] = node("ManualSigmas", sigmas=listed)
    same = ok(server.run(plain))
    assert pixels(server, result) == pixels(server, same)
    assert pixels(server, result) == pixels(server, ok(server.run(use_graph(sampler="euler", seed=4))))


def test_noise_level_mode_and_curves_run(server, sd3):
    graph = custom_sampler(use_graph(), ["schedule", 0])
    graph["schedule"] = node("SigmasmithSchedule", preset=["preset", 0], steps=3, denoise=0.4, mode="noise level")
    assert "from sigma 0.4 to 0" in text_of(ok(server.run(graph)), "schedule")
    for curve in (
        node("SigmasmithCosine", model=["load", 0], steps=3, denoise=0.5, offset=0.008, max_beta=0.999),
        node("SigmasmithCurve", model=["load", 0], steps=3, denoise=1.0, curve="karras", settings="rho=5"),
    ):
        graph = custom_sampler(text_to_image("tiny_sd3"), ["curve", 0])
        graph["curve"] = curve
        assert "3 steps will run" in text_of(ok(server.run(graph)), "curve")


def test_an_inpaint_mask_and_a_split_run_use_the_preset_silently(server, sd3):
    graph = use_graph(denoise=0.6)
    graph["mask"] = node("SolidMask", value=1.0, width=64, height=64)
    graph["masked"] = node("SetLatentNoiseMask", samples=["latent", 0], mask=["mask", 0])
    graph["sample"]["inputs"]["latent_image"] = ["masked", 0]
    assert said_by(server, graph) == []
    graph = use_graph(steps=6)
    shared = {
        name: value
        for name, value in graph["sample"]["inputs"].items()
        if name not in ("seed", "denoise", "latent_image")
    }
    graph["first"] = node(
        "KSamplerAdvanced",
        latent_image=["latent", 0],
        add_noise="enable",
        noise_seed=1,
        start_at_step=0,
        end_at_step=3,
        return_with_leftover_noise="enable",
        **shared,
    )
    graph["sample"] = node(
        "KSamplerAdvanced",
        latent_image=["first", 0],
        add_noise="disable",
        noise_seed=1,
        start_at_step=3,
        end_at_step=10_000,
        return_with_leftover_noise="disable",
        **shared,
    )
    assert said_by(server, graph) == []


def test_every_difference_from_the_fit_is_said_on_the_page(server, sd3):
    assert "guidance" in " ".join(said_by(server, use_graph(cfg=3.0)))
    assert "dpmpp_2m" in " ".join(said_by(server, use_graph(sampler="dpmpp_2m")))
    assert "Fitted at 64x64 pixels, this run has 96x96" in " ".join(said_by(server, use_graph(size=96)))
    behind = use_graph(seed=8)
    behind["shift"] = node("ModelSamplingSD3", model=["apply", 0], shift=5.0)
    behind["sample"]["inputs"]["model"] = ["shift", 0]
    said = " ".join(said_by(server, behind))
    assert "ModelSampling" in said
    assert "shift 3" in said


def test_a_lora_changed_after_the_fit_is_said(server):
    graph = fit_graph("tiny_sd15", size=32, name="with_lora", noises=4, steps="2")
    graph["lora"] = node(
        "LoraLoaderModelOnly", model=["load", 0], lora_name="tiny_sd15_lora.safetensors", strength_model=0.5
    )
    graph["fit"]["inputs"]["model"] = ["lora", 0]
    ok(server.run(graph))
    use = use_graph("with_lora", "tiny_sd15", size=32, steps=2)
    use["lora"] = graph["lora"]
    use["apply"]["inputs"]["model"] = ["lora", 0]
    assert said_by(server, use) == []
    use["lora"]["inputs"]["strength_model"] = 0.8
    assert "weight patches" in " ".join(said_by(server, use))


def test_a_changed_preset_under_the_same_name_is_not_served_stale(server, sd3):
    preset = load_preset(preset_file(server, "sd3"))
    save_preset(preset_file(server, "changing"), preset)
    graph = use_graph("changing", seed=9)
    before = ok(server.run(graph))
    assert "sample" in ok(server.run(graph)).cached
    halved = {steps: sigmas.clone() for steps, sigmas in preset.schedules.items()}
    for sigmas in halved.values():
        sigmas[1:] *= 0.5
    fields = {"sampler": preset.sampler, "model": preset.model}
    save_preset(preset_file(server, "changing"), Preset(schedules=halved, **fields), overwrite=True)
    after = ok(server.run(graph))
    assert "sample" not in after.cached
    assert pixels(server, before) != pixels(server, after)


def test_fit_takes_linked_texts_and_is_not_run_again_for_them(server, sd3):
    graph = fit_graph("tiny_sd3", name=["name", 0], steps=["steps", 0])
    graph |= {"name": node("PrimitiveString", value="sd3"), "steps": node("PrimitiveString", value=str(STEPS))}
    assert "no model call" in text_of(ok(server.run(graph)), "fit")
    assert "fit" in ok(server.run(graph)).cached


def test_load_takes_a_share_code_in_either_input_and_save_writes_presets(server, sd3):
    preset = load_preset(preset_file(server, "sd3"))
    code = to_share_code(preset)
    wanted = pixels(server, ok(server.run(use_graph(seed=11))))
    for inputs in ({"preset": "(share code)", "share_code": code}, {"preset": code}):
        graph = use_graph(seed=11)
        graph["preset"] = node("SigmasmithLoadPreset", **inputs)
        assert pixels(server, ok(server.run(graph))) == wanted
    graph = {
        "preset": node("SigmasmithLoadPreset", preset="sd3.safetensors", share_code=""),
        "store": node(
            "SigmasmithSavePreset",
            preset=["preset", 0],
            name="ours/copy",
            author="A. Person",
            licence="CC0-1.0",
            notes="two\nlines",
            overwrite=False,
        ),
    }
    assert code in text_of(ok(server.run(graph)), "store")
    copied = load_preset(preset_file(server, "ours/copy"))
    assert (copied.author, copied.licence, copied.name) == ("A. Person", "CC0-1.0", "ours/copy")
    assert copied.hash == preset.hash
    assert "ours/copy.safetensors" in server.get("/models/sigmasmith")


def test_no_error_is_in_the_log(server, log_before):
    lines = server.log()[log_before:].splitlines()
    assert [line for line in lines if "!!! Exception" in line or "could not compare" in line] == []
    assert [line for line in lines if "Sigmasmith" in line and line.lstrip().startswith("File ")] == []
