"""Fits in a real ComfyUI server: what they show and save, what they return again, and how they stop and go on."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from sigmasmith.schedules.presets.file import load_preset, to_bytes

from .answers import error_of, ok, picture, preset_file, records, said_by, text_of, wait_for_records
from .graphs import Graph, node
from .pack_graphs import STEPS, fit_graph, use_graph
from .server import ComfyServer

pytestmark = [pytest.mark.host, pytest.mark.slow]


def test_fit_shows_a_plot_and_a_report_and_saves_the_preset(server):
    server.events.clear()
    result = ok(server.run(fit_graph("tiny_sd3", name="shown", steps=f"{STEPS}, 6")))
    image = picture(server, result, "fit")
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (900, 560)
    assert len(result.outputs["fit"]["images"]) == 2
    report = text_of(result, "fit")
    assert "best of those compared" in report
    assert "sigmasmith_optimal" in report
    preset = load_preset(preset_file(server, "shown"))
    assert list(preset.schedules) == [STEPS, 6]
    assert preset.model.family == "SD3"
    assert preset.model.shift == 3.0
    assert preset.latent_shape == (16, 8, 8)
    assert str(server.base) not in to_bytes(preset).decode("latin-1")
    assert "red house" not in to_bytes(preset).decode("latin-1")
    progress = server.events.of_type("progress")
    assert any(message.get("node") == "fit" for message in progress)
    said = [message["text"] for message in server.events.of_type("sigmasmith.message")]
    assert any("more at most" in text for text in said)
    assert "Memory: the fit keeps at most" in said[0]


def test_a_queued_again_fit_is_cached_and_a_changed_prompt_costs_no_model_call(server):
    graph = fit_graph("tiny_sd3", name="queued", steps=f"{STEPS}, 6")
    ok(server.run(graph))
    assert "fit" in ok(server.run(graph)).cached
    graph["positive"]["inputs"]["text"] = "a green boat"
    result = ok(server.run(graph))
    assert "fit" not in result.cached
    assert "no model call" in text_of(result, "fit")
    assert len(result.outputs["fit"]["images"]) == 2


def test_no_queue_fails_over_an_ordinary_edit_and_none_fits_again(server):
    graph = fit_graph("tiny_sd15", name="edited", cfg=7.0)
    graph["lora"] = node(
        "LoraLoaderModelOnly", model=["load", 0], lora_name="tiny_sd15_lora.safetensors", strength_model=0.8
    )
    graph["fit"]["inputs"]["model"] = ["lora", 0]
    graph["apply"] = node("SigmasmithApply", model=["lora", 0], preset=["fit", 0])
    used = use_graph(model="tiny_sd15", cfg=7.0)
    graph |= {name: used[name] for name in ("sample", "decode", "save")}
    ok(server.run(graph))
    fitted = preset_file(server, "edited").read_bytes()
    edits: list[tuple[str, str, Any]] = [
        ("sample", "seed", 9),
        ("positive", "text", "a green boat"),
        *((part, "cfg", value) for value in (7.05, 4.0) for part in ("fit", "sample")),
        ("latent", "width", 96),
        *((part, "steps", value) for part, value in (("fit", "6"), ("sample", 6))),
        ("lora", "strength_model", 0.5),
    ]
    for part, name, value in edits:
        graph[part]["inputs"][name] = value
        result = ok(server.run(graph))
        assert result.outputs["save"]["images"], (part, name)
        if "fit" not in result.cached:
            assert "no model call was made" in text_of(result, "fit"), (part, name)
    assert preset_file(server, "edited").read_bytes() == fitted


def test_fit_on_a_guider(server, sd3):
    graph = fit_graph("tiny_sd3")
    inputs = graph["fit"]["inputs"]
    graph["guider"] = node("CFGGuider", **{name: inputs.pop(name) for name in ("model", "positive", "negative", "cfg")})
    graph["fit"] = node("SigmasmithFitGuider", guider=["guider", 0], **(inputs | {"name": "guided", "minutes": 5.0}))
    ok(server.run(graph))
    preset = load_preset(preset_file(server, "guided"))
    assert preset.guidance == 5.0
    assert preset.model == load_preset(preset_file(server, "sd3")).model


def test_a_fit_may_choose_the_sampler_and_says_which(server):
    said = text_of(server.run(fit_graph("tiny_sd3", name="chosen", steps="6", choose_sampler=True)), "fit")
    chosen = load_preset(preset_file(server, "chosen")).sampler
    assert chosen in {"dpmpp_2m", "res_multistep", "ipndm", "deis"}
    assert f"the sampler {chosen}" in said
    assert "Each sampler with its own fit" in said


def test_a_fit_for_changed_images_runs_under_a_plain_ksampler_and_says_where_it_does_not_belong(server):
    report = text_of(ok(server.run(fit_graph("tiny_sd3", name="half", steps="4", denoise=0.5))), "fit")
    assert "For images that are changed at denoise 0.5" in report
    assert "the sampler euler, denoise 0.5." in report
    preset = load_preset(preset_file(server, "half"))
    assert list(preset.schedules) == [8]
    # The seed of the run tells it from a run that the host would answer from its cache.
    assert said_by(server, use_graph("half", steps=4, denoise=0.5, seed=31)) == []
    said = said_by(server, use_graph("half", steps=8, seed=32))
    assert len(said) == 1
    assert "Fitted for changing images at denoise 0.5" in said[0]
    refused = error_of(server, fit_graph("tiny_sd3", name="half", steps="4"))
    assert "It is for denoise 0.5, not 1." in refused


def test_a_sampler_that_draws_noise_is_fitted_against_itself(server):
    said = text_of(ok(server.run(fit_graph("tiny_sd3", name="noisy", sampler_name="euler_ancestral"))), "fit")
    assert "euler_ancestral draws noise: it was fitted against itself with many steps on the same noise" in said
    assert load_preset(preset_file(server, "noisy")).sampler == "euler_ancestral"
    refused = error_of(server, fit_graph("tiny_sd3", sampler_name="dpmpp_2m_sde", choose_sampler=True))
    assert "choose_sampler" in refused


def test_two_models_are_fitted_as_two_advanced_ksamplers_run_them_and_the_step_is_named(server):
    write_second_model(server)
    graph = fit_graph("tiny_sd3", name="experts", sampler_name="dpmpp_2m", steps="6", boundary=0.8)
    graph["low"] = node("CheckpointLoaderSimple", ckpt_name="tiny_sd3_low.safetensors")
    graph["fit"]["inputs"]["model_low"] = ["low", 0]
    said = text_of(ok(server.run(graph)), "fit")
    preset = load_preset(preset_file(server, "experts"))
    switch = sum(float(sigma) >= 0.8 for sigma in preset.schedules[6][:-1])
    assert 0 < switch < 6
    assert f"At 6 steps switch to the second model after step {switch} of 6" in said
    assert "The models took turns" in said
    assert preset.model.checkpoint is None  # it serves both
    assert "no model call" in text_of(ok(server.run(graph | {"positive": graph["negative"]})), "fit")
    assert said_by(server, as_two_ksamplers("experts", 6, switch)) == []


def write_second_model(server: ComfyServer) -> None:
    """tiny_sd3 once more with a changed last layer."""
    folder = server.base / "models" / "checkpoints"
    weights = load_file(folder / "tiny_sd3.safetensors")
    name = next(name for name in weights if name.endswith("final_layer.linear.weight"))
    save_file(weights | {name: 1.1 * weights[name]}, folder / "tiny_sd3_low.safetensors")


def as_two_ksamplers(preset: str, steps: int, switch: int) -> Graph:
    """The preset on both models, under two KSamplers (Advanced)."""
    graph = use_graph(preset, steps=steps, sampler="dpmpp_2m")
    graph["low"] = node("CheckpointLoaderSimple", ckpt_name="tiny_sd3_low.safetensors")
    graph["apply_low"] = node("SigmasmithApply", model=["low", 0], preset=["preset", 0])
    given = graph["sample"]["inputs"]
    shared = {name: given[name] for name in ("positive", "negative", "steps", "cfg", "sampler_name", "scheduler")}
    graph["first"] = node(
        "KSamplerAdvanced",
        model=["apply", 0],
        latent_image=["latent", 0],
        add_noise="enable",
        noise_seed=1,
        start_at_step=0,
        end_at_step=switch,
        return_with_leftover_noise="enable",
        **shared,
    )
    graph["sample"] = node(
        "KSamplerAdvanced",
        model=["apply_low", 0],
        latent_image=["first", 0],
        add_noise="disable",
        noise_seed=1,
        start_at_step=switch,
        end_at_step=10_000,
        return_with_leftover_noise="disable",
        **shared,
    )
    return graph


def test_an_interrupt_stops_the_fit_and_it_can_be_run_again(server):
    graph = fit_graph("tiny_sd3", name="stopped", effort="thorough", steps="20", noises=8)
    before = records(server)
    server.events.clear()
    prompt_id = server.queue(graph)
    server.events.wait_for("progress", node="fit")
    wait_for_records(server, before)
    start = time.monotonic()
    server.interrupt()
    assert server.wait(prompt_id).status == "interrupted"
    assert time.monotonic() - start < 2.0
    assert not preset_file(server, "stopped").exists()
    assert list(preset_file(server, "stopped").parent.glob("*.tmp")) == []
    assert records(server) - before  # kept for the next time
    graph["fit"]["inputs"] |= {"effort": "fast", "steps": "2"}
    ok(server.run(graph))


def test_a_killed_fit_goes_on_after_a_restart(server):
    graph = fit_graph("tiny_sd3", name="killed", steps="16", noises=8)
    before = records(server)
    server.events.clear()
    server.queue(graph)
    server.events.wait_for("progress", node="fit")
    wait_for_records(server, before)
    server.kill()
    assert not preset_file(server, "killed").exists()
    recorded = records(server) - before
    assert recorded
    server.start()
    ok(server.run(graph))
    assert not recorded & records(server)  # used up and removed
    assert load_preset(preset_file(server, "killed")).is_fitted(16)
    assert list(preset_file(server, "killed").parent.glob("*.tmp")) == []
