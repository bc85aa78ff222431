"""Every example workflow on a real server, from the saved file to an image, with tiny models in place of real ones."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .answers import ok
from .graphs import Graph
from .server import ComfyServer
from .workflows import TINY, to_graph

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "example_workflows"
FILES = sorted(FOLDER.glob("*.json"))
# The tiny checkpoint's latents have 16 channels.
RENAMED = {"EmptyLatentImage": "EmptySD3LatentImage", "DualCLIPLoader": "CLIPLoader"}
ENCODERS = ("CLIPLoader", "DualCLIPLoader")
TWO_MODELS = "Wan 2.2, two experts"
SMALL = {"width": 64, "height": 64, "length": 9}


@pytest.fixture(scope="module")
def with_an_image(server: ComfyServer) -> ComfyServer:
    """The server, with the image in its input folder that every ComfyUI comes with."""
    (server.base / "input").mkdir(exist_ok=True)
    Image.radial_gradient("L").convert("RGB").save(server.base / "input" / "example.png")
    return server


def with_tiny_models(graph: Graph) -> Graph:
    """The same graph with small files and small sizes."""
    for item in graph.values():
        inputs: dict[str, Any] = item["inputs"]
        if item["class_type"] in ENCODERS:
            inputs = item["inputs"] = {"clip_name": "tiny_clip_l.safetensors", "type": "sd3"}
        item["class_type"] = RENAMED.get(item["class_type"], item["class_type"])
        inputs |= {name: TINY[value] for name, value in inputs.items() if isinstance(value, str) and value in TINY}
        inputs |= {name: size for name, size in SMALL.items() if name in inputs}
        if item["class_type"] == "SigmasmithAuto":
            inputs["minutes"] = 0.0  # a slow machine would come over the limit, which is a warning
    return graph


def workflow(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def test_there_is_one_for_every_use():
    assert {file.stem for file in FILES} == {
        "Adaptive steps",
        "Compare schedules",
        "Detail pass",
        "Fit a schedule, see before and after",
        "Flow model with a shift",
        "Flux",
        "Image to image",
        "Qwen-Image",
        "SDXL with a LoRA",
        "Search for seeds",
        "Text to image",
        "Upscale",
        "Variance",
        "Video",
        "Wan 2.2, two experts",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_has_a_small_picture_for_the_hosts_list_of_templates(file):
    picture = file.with_suffix(".jpg")
    data = picture.read_bytes()
    assert len(data) < 40_000
    assert Image.open(io.BytesIO(data)).format == "JPEG"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_says_what_to_do_and_nodes_do_not_overlap(file):
    nodes = workflow(file)["nodes"]
    notes = [item for item in nodes if item["type"] == "MarkdownNote"]
    assert len(notes) == 1
    assert len(notes[0]["widgets_values"][0]) > 100
    boxes = [(*item["pos"], *item["size"]) for item in nodes]
    for number, (x, y, width, height) in enumerate(boxes):
        for u, v, wide, high in boxes[:number]:
            # A title bar of 30 stands above every node.
            assert x + width <= u or u + wide <= x or y + height <= v - 30 or v + high <= y - 30, (
                file.stem,
                x,
                y,
                u,
                v,
            )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_saves_no_preset_under_the_name_of_another_and_chooses_no_licence(file):
    """A name that is left empty is made of the model's; a fit never replaces a preset without being told to."""
    nodes = workflow(file)["nodes"]
    assert not [item for item in nodes if item["type"] == "SigmasmithSavePreset"]
    for item in nodes:
        if item["type"] == "SigmasmithFit":
            name, refit = item["widgets_values"][7:9]
            others = [other for other in FILES if other != file and f'"{name}"' in other.read_text(encoding="utf-8")]
            assert not name or not others, (name, others)
            assert refit is False


@pytest.mark.parametrize("name", ["Image to image", "Upscale"])
def test_the_fit_for_a_changed_image_is_set_to_what_its_sampler_runs(server, name):
    graph = to_graph(workflow(FOLDER / f"{name}.json"), server.object_info)
    inputs = {item["class_type"]: item["inputs"] for item in graph.values()}
    fit, sampler = inputs["SigmasmithFit"], inputs["KSampler"]
    assert fit["denoise"] < 1.0
    for shared in ("denoise", "cfg", "sampler_name", "positive", "negative"):
        assert fit[shared] == sampler[shared], shared
    assert fit["steps"] == str(sampler["steps"])
    assert fit["latent"] == sampler["latent_image"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_runs_to_an_image_without_a_warning(with_an_image, file):
    server = with_an_image
    graph = with_tiny_models(to_graph(workflow(file), server.object_info))
    server.events.clear()
    result = ok(server.run(graph, timeout=300.0))
    saved = [
        name for name, item in graph.items() if item["class_type"].startswith("Save") and "images" in item["inputs"]
    ]
    assert saved
    for name in saved:
        picture = Image.open(io.BytesIO(server.fetch(result.outputs[name]["images"][0])))
        assert min(picture.size) >= 64
    time.sleep(0.1)  # messages pass through the host's queue
    warnings = [said["text"] for said in server.events.of_type("sigmasmith.message") if said["warning"]]
    if file.stem == TWO_MODELS:
        # After which step to switch only a fit of these very models tells: the graph holds that of Wan 2.2.
        warnings = [text for text in warnings if not re.search(r"switch after step \d+ of this run|run further", text)]
    assert warnings == []
