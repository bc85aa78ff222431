"""Auto in a real ComfyUI server, through the API alone: one node, nothing to set."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sigmasmith.schedules.presets.file import load_preset

from .answers import ok, picture, pixels, preset_file, said_by
from .graphs import Graph, node, text_to_image
from .pack_graphs import custom_sampler
from .server import ComfyServer

pytestmark = [pytest.mark.host, pytest.mark.slow]

STEPS = 6


def auto_graph(model: str = "tiny_sd3", settings: dict[str, Any] | None = None, **sampling: Any) -> Graph:
    given: dict[str, Any] = {"steps": STEPS} | sampling
    graph = text_to_image(model, **given)
    # Slow machines take long, and a limit would make what runs depend on them.
    graph["auto"] = node("SigmasmithAuto", model=["load", 0], **({"minutes": 0.0} | (settings or {})))
    graph["sample"]["inputs"]["model"] = ["auto", 0]
    return graph


def drawn(server: ComfyServer, graph: Graph) -> bytes:
    return pixels(server, ok(server.run(graph, timeout=300.0)))


def test_the_first_queue_tunes_and_the_next_gives_the_same_picture_faster(server):
    first = server.run(auto_graph(), timeout=300.0)
    told = [message["text"] for message in server.events.of_type("sigmasmith.message")]
    assert any("takes about" in text for text in told), told
    assert any(message.get("node") == "sample" for message in server.events.of_type("progress"))
    preset = load_preset(preset_file(server, f"auto/tiny_sd3, {STEPS} steps, cfg 5"))
    assert preset.model.checkpoint == "tiny_sd3.safetensors"
    assert preset.sampler == "sigmasmith_multistep"
    other = ok(server.run(auto_graph(seed=2)))
    # Its turn comes again: the host has forgotten the first picture.
    again = ok(server.run(auto_graph()))
    assert pixels(server, again) == pixels(server, ok(first))
    assert pixels(server, again) != pixels(server, other)
    assert pixels(server, again) != drawn(server, text_to_image("tiny_sd3", steps=STEPS))
    assert again.seconds < first.seconds / 2


def test_the_saved_picture_says_which_preset_ran(server):
    ok(server.run(auto_graph(seed=3), timeout=300.0))
    data = picture(server, ok(server.run(auto_graph(seed=4))))
    run = json.loads(Image.open(io.BytesIO(data)).info["sigmasmith"])["runs"]["sample"]
    assert run["preset"] == f"auto/tiny_sd3, {STEPS} steps, cfg 5"
    assert len(run["sigmas"]) == STEPS + 1


def test_a_custom_sampler_runs_the_same_picture(server):
    graph = auto_graph(seed=5)
    graph["sigmas"] = node("BasicScheduler", model=["auto", 0], scheduler="karras", steps=STEPS, denoise=1.0)
    assert drawn(server, custom_sampler(graph, ["sigmas", 0])) == drawn(server, auto_graph(seed=5))


@pytest.mark.parametrize(
    "sampling", [{"sampler": "euler_ancestral"}, {"denoise": 0.5}, {"sampler": "heun"}], ids=lambda given: str(given)
)
def test_what_it_must_not_touch_stays_as_set_without_a_warning(server, sampling):
    graph = auto_graph(seed=6, **sampling)
    assert said_by(server, graph) == []
    plain = text_to_image("tiny_sd3", steps=STEPS, seed=6, **sampling)
    assert drawn(server, auto_graph(seed=6, **sampling)) == drawn(server, plain)


def test_the_switch_gives_the_picture_without_it(server):
    as_set = auto_graph(settings={"use": "as set in the sampler"}, seed=7)
    assert drawn(server, as_set) == drawn(server, text_to_image("tiny_sd3", steps=STEPS, seed=7))


def test_untuned_it_needs_no_more_than_the_model_link(server):
    graph = auto_graph(seed=8, steps=7, cfg=2.0)
    graph["auto"]["inputs"] = {"model": ["load", 0], "tune": "none"}
    assert said_by(server, graph) == []
    by_name = text_to_image(
        "tiny_sd3", steps=7, cfg=2.0, seed=8, sampler="sigmasmith_multistep", scheduler="sigmasmith_optimal"
    )
    assert drawn(server, graph) == drawn(server, by_name)
    assert not preset_file(server, "auto/tiny_sd3, 7 steps, cfg 2").exists()


def test_an_interrupted_race_leaves_no_preset_and_the_next_queue_makes_it(server):
    graph = auto_graph(cfg=3.0, steps=9, seed=9)
    server.events.clear()
    running = server.queue(graph)
    server.events.wait_for("progress", 120.0, node="sample")
    server.interrupt()
    assert server.wait(running, timeout=120.0).status == "interrupted"
    saved = preset_file(server, "auto/tiny_sd3, 9 steps, cfg 3")
    assert not saved.exists()
    time.sleep(0.1)
    ok(server.run(graph, timeout=300.0))
    assert saved.is_file()


def test_where_models_are_unloaded_after_use_and_previews_are_shown_it_makes_the_same_picture(server, tmp_path):
    flags = ("--disable-smart-memory", "--preview-method", "latent2rgb")
    graph = auto_graph(seed=10, steps=4, cfg=2.0)
    folders = {"pack": Path(__file__).resolve().parents[2], "models": server.base / "models"}
    with ComfyServer(server.host, tmp_path / "comfy", **folders, arguments=flags) as frugal:
        raced = drawn(frugal, graph)
        assert "Traceback" not in frugal.log()
    assert preset_file(server, "auto/tiny_sd3, 4 steps, cfg 2").is_file()
    assert drawn(server, graph) == raced
