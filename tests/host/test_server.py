"""The pack in a real ComfyUI server, over HTTP and the websocket, as the page uses it.

One server for the whole file; the tests run from top to bottom, the ones that end in errors after the one that looks
for errors in the log.
"""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sigmasmith.schedules.preset_file import load_preset, save_preset, to_bytes
from sigmasmith.schedules.presets import Preset
from sigmasmith.schedules.share_code import to_share_code

from .graphs import Graph, node, text_to_image
from .pack_graphs import STEPS, custom_sampler, fit_graph, use_graph
from .server import ComfyServer, PromptRejectedError, Result, find_host, make_tiny_models
from .workflows import to_graph

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
OURS = ["sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"]
NODE_IDS = list(json.loads((ROOT / "node_list.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("comfy")
    make_tiny_models(host, base / "models")
    with ComfyServer(host, base, pack=ROOT) as running:
        yield running


@pytest.fixture(scope="module")
def sd3(server) -> Result:
    return ok(server.run(fit_graph("tiny_sd3", name="sd3", steps=f"{STEPS}, 6")))


def ok(result: Result) -> Result:
    assert result.status == "success", json.dumps(result.error, indent=1)
    return result


def said_by(server: ComfyServer, graph: Graph) -> list[str]:
    """Warnings on the page during a run that must succeed."""
    server.events.clear()
    ok(server.run(graph))
    time.sleep(0.1)  # messages pass through the host's queue
    return [message["text"] for message in server.events.of_type("sigmasmith.message") if message["warning"]]


def picture(server: ComfyServer, result: Result, where: str = "save") -> bytes:
    return server.fetch(result.outputs[where]["images"][0])


def pixels(server: ComfyServer, result: Result) -> bytes:
    """The saved image without the graph that the host writes into the file."""
    return Image.open(io.BytesIO(picture(server, result))).convert("RGB").tobytes()


def preset_file(server: ComfyServer, name: str) -> Path:
    return server.base / "models" / "sigmasmith" / f"{name}.safetensors"


def text_of(result: Result, where: str) -> str:
    return result.outputs[where]["text"][0]


def error_of(server: ComfyServer, graph: Graph) -> str:
    """What the person is told, whether the host refuses the graph or a node fails."""
    try:
        result = server.run(graph)
    except PromptRejectedError as refused:
        errors = refused.reply["node_errors"].values()
        return " ".join(error["details"] for entry in errors for error in entry["errors"])
    assert result.status == "error", result
    assert result.error is not None
    return result.error["exception_message"]


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


def test_fit_shows_a_plot_and_a_report_and_saves_the_preset(server, sd3):
    image = picture(server, sd3, "fit")
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (900, 560)
    assert len(sd3.outputs["fit"]["images"]) == 2
    report = text_of(sd3, "fit")
    assert "best host schedule" in report
    assert "sigmasmith_optimal" in report
    preset = load_preset(preset_file(server, "sd3"))
    assert list(preset.schedules) == [STEPS, 6]
    assert preset.model.family == "SD3"
    assert preset.model.shift == 3.0
    assert preset.latent_shape == (16, 8, 8)
    assert str(server.base) not in to_bytes(preset).decode("latin-1")
    assert "red house" not in to_bytes(preset).decode("latin-1")
    progress = server.events.of_type("progress")
    assert any(message.get("node") == "fit" for message in progress)
    assert any("more at most" in message["text"] for message in server.events.of_type("sigmasmith.message"))


def test_a_queued_again_fit_is_cached_and_a_changed_prompt_costs_no_model_call(server, sd3):
    graph = fit_graph("tiny_sd3", name="sd3", steps=f"{STEPS}, 6")
    assert "fit" in ok(server.run(graph)).cached
    graph["positive"]["inputs"]["text"] = "a green boat"
    result = ok(server.run(graph))
    assert "fit" not in result.cached
    assert "no model call" in text_of(result, "fit")
    assert len(result.outputs["fit"]["images"]) == 2


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
    assert "latent size" in " ".join(said_by(server, use_graph(size=96)))
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


def test_fit_on_a_guider(server):
    graph = fit_graph("tiny_sd3")
    inputs = graph["fit"]["inputs"]
    graph["guider"] = node("CFGGuider", **{name: inputs.pop(name) for name in ("model", "positive", "negative", "cfg")})
    graph["fit"] = node("SigmasmithFitGuider", guider=["guider", 0], **(inputs | {"name": "guided", "minutes": 5.0}))
    ok(server.run(graph))
    preset = load_preset(preset_file(server, "guided"))
    assert preset.guidance == 5.0
    assert preset.model == load_preset(preset_file(server, "sd3")).model


def test_the_example_workflow_loads_and_runs(server):
    for file in sorted((ROOT / "example_workflows").glob("*.json")):
        workflow = json.loads(file.read_text(encoding="utf-8"))
        graph = to_graph(workflow, server.object_info)
        for item in graph.values():
            if item["class_type"] == "CheckpointLoaderSimple":
                item["inputs"]["ckpt_name"] = "tiny_sd3.safetensors"
            if item["class_type"] == "EmptyLatentImage":
                item["class_type"] = "EmptySD3LatentImage"
                item["inputs"] |= {"width": 64, "height": 64}
        assert said_by(server, graph) == []


def test_no_error_is_in_the_log(server):
    lines = server.log().splitlines()
    assert [line for line in lines if "!!! Exception" in line or "could not compare" in line] == []
    assert [line for line in lines if "Sigmasmith" in line and line.lstrip().startswith("File ")] == []


# From here on errors are asked for.


def records(server):
    """Files of unfinished fits."""
    return set((server.base / "user").rglob("unfinished/*/*.safetensors"))


def wait_for_records(server, before):
    """The records that a running fit has written, once there are some."""
    deadline = time.monotonic() + 60.0
    while not records(server) - before:
        assert time.monotonic() < deadline, "the fit wrote no record"
        time.sleep(0.1)
    return records(server) - before


def test_a_fit_may_choose_the_sampler_and_says_which(server):
    said = text_of(server.run(fit_graph("tiny_sd3", name="chosen", steps="6", choose_sampler=True)), "fit")
    chosen = load_preset(preset_file(server, "chosen")).sampler
    assert chosen in {"dpmpp_2m", "res_multistep", "ipndm", "deis"}
    assert f"the sampler {chosen}" in said
    assert "Each sampler with its own fitted schedules" in said


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
        ({"name": "sd3", "cfg": 2.0}, ["name", "guidance", "refit"]),
        ({"name": "SD3"}, ["name", "case"]),
    ]
    for changed, words in cases:
        said = error_of(server, fit_graph("tiny_sd3", **changed))
        assert all(word in said for word in words), said
    graph = use_graph()
    graph["schedule"] = node("SigmasmithSchedule", preset=["preset", 0], steps=4, denoise=0.0, mode="noise level")
    graph["show"] = node("PreviewAny", source=["schedule", 2])
    assert "denoise" in error_of(server, graph)
    assert "sd3" in error_of(server, use_graph("sd4"))
    cut = to_share_code(load_preset(preset_file(server, "sd3")))[:-5]
    assert "cut" in error_of(server, use_graph(cut))
    other = use_graph("with_lora", "tiny_sd3")
    assert "preset" in error_of(server, other)
    assert "noise-prediction" in error_of(server, other)


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
