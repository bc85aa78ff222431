"""Error Map, Refine by Error and Guidance in a real ComfyUI server, as prompts."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from .answers import error_of, ok, picture, pixels, said_by, text_of
from .graphs import Graph, node, text_to_image
from .pack_graphs import fit_graph, use_graph

pytestmark = [pytest.mark.host, pytest.mark.slow]

MODELS = ("tiny_sd15", "tiny_sd3")
INTERVAL = {"shape": "interval", "start": 0.2, "end": 0.9, "unit": "percent", "outside": 1.0, "values": ""}


def feedback(kind: str, model: str = "tiny_sd15", steps: int = 6, batch: int = 1, **settings: Any) -> Graph:
    """Text to image with one of the feedback nodes, called sample, in place of the KSampler; its map is saved too."""
    graph = text_to_image(model, size=128, batch=batch)
    given = graph["sample"]["inputs"]
    graph["kind"] = node("KSamplerSelect", sampler_name="dpmpp_2m")
    graph["sigmas"] = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=steps, denoise=1.0)
    inputs: dict[str, Any] = {name: given[name] for name in ("model", "cfg", "positive", "negative", "seed")}
    inputs |= {"latent": ["latent", 0], "sampler": ["kind", 0], "sigmas": ["sigmas", 0]}
    graph["sample"] = node(kind, **(inputs | settings))
    graph["map"] = node("SaveImage", images=["sample", 1], filename_prefix="map")
    graph["mask"] = node("MaskToImage", mask=["sample", 2])
    graph["save_mask"] = node("SaveImage", images=["mask", 0], filename_prefix="mask")
    return graph


def guided(graph: Graph, **changed: Any) -> Graph:
    """The same with a guidance curve in front of what samples or fits."""
    graph["guidance"] = node("SigmasmithGuidance", model=["load", 0], **(INTERVAL | changed))
    for name in ("sample", "fit", "apply"):
        if name in graph:
            where = "apply" if name == "sample" and "apply" in graph else name
            graph[where]["inputs"]["model"] = ["guidance", 0]
    return graph


def opened(server: Any, result: Any, where: str) -> Image.Image:
    data = picture(server, result, where)
    if folder := os.environ.get("SIGMASMITH_KEEP_PICTURES"):  # to look at them
        Path(folder, f"{where}_{len(data)}.png").write_bytes(data)
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("model", MODELS)
def test_the_error_map_gives_the_ksamplers_image_a_picture_a_mask_and_words(server, model):
    graph = feedback("SigmasmithErrorMap", model)
    result = ok(server.run(graph))
    plain = text_to_image(model, size=128, steps=6, sampler="dpmpp_2m", scheduler="simple")
    assert pixels(server, result) == pixels(server, ok(server.run(plain)))
    shown, mask = opened(server, result, "map"), opened(server, result, "save_mask")
    assert shown.size == mask.size == (128, 128)
    assert max(ImageStat.Stat(shown).stddev) > 10.0
    assert ImageStat.Stat(mask).extrema[0] == (0, 255) or ImageStat.Stat(mask).extrema[0][1] == 255
    report = text_of(result, "sample")
    assert "6 model calls, none of them for the map." in report
    assert "comes from the step from sigma" in report


@pytest.mark.parametrize("model", MODELS)
def test_refine_changes_only_its_region_and_says_what_it_did(server, model):
    graph = feedback("SigmasmithRefine", model, batch=2, budget=12, share=0.1)
    server.events.clear()
    result = ok(server.run(graph))
    report = text_of(result, "sample")
    assert "Round 1" in report
    assert "Stopped:" in report
    region = opened(server, result, "save_mask")
    assert set(region.convert("L").tobytes()) <= {0, 255}
    opened(server, result, "map")
    progress = [message for message in server.events.of_type("progress") if message.get("node") == "sample"]
    assert progress
    assert all(message["value"] <= message["max"] == 18 for message in progress)


def test_refine_takes_a_mask_and_refuses_one_of_another_shape(server):
    graph = feedback("SigmasmithRefine", budget=12, share=1.0)
    graph["paint"] = node("SolidMask", value=1.0, width=128, height=128)
    graph["sample"]["inputs"]["mask"] = ["paint", 0]
    assert "100% of the pixels" in text_of(ok(server.run(graph)), "sample")
    graph["paint"]["inputs"]["width"] = 64
    assert "mask: its shape, 64 x 128, is not that of the picture" in error_of(server, graph)
    graph["paint"]["inputs"] = {"value": 0.0, "width": 128, "height": 128}
    assert "mask: it lets no pixel change" in error_of(server, graph)


def test_budgets_and_shares_outside_their_range_are_refused(server):
    assert "budget" in error_of(server, feedback("SigmasmithRefine", budget=1, share=0.5))
    assert "share" in error_of(server, feedback("SigmasmithRefine", budget=8, share=0.0))


@pytest.mark.parametrize("model", MODELS)
def test_guidance_under_a_ksampler_and_a_fit(server, model):
    assert said_by(server, guided(text_to_image(model))) == []
    plain, under = (ok(server.run(graph)) for graph in (text_to_image(model), guided(text_to_image(model))))
    assert pixels(server, plain) != pixels(server, under)
    whole = guided(text_to_image(model), start=0.0, end=1.0)
    assert pixels(server, ok(server.run(whole))) == pixels(server, plain)
    described = text_of(ok(server.run(guided(text_to_image(model)))), "guidance")
    assert described.startswith("the sampler's CFG from sigma")
    assert described.endswith(", 1 outside.")
    name = f"guided_{model}"
    report = text_of(ok(server.run(guided(fit_graph(model, name=name)))), "fit")
    assert "Fitted under a guidance curve: CFG 5 from sigma" in report
    assert said_by(server, guided(use_graph(name, model))) == []
    assert "guidance curve" in " ".join(said_by(server, use_graph(name, model)))


def test_an_upside_down_window_is_refused_in_words(server):
    assert "upside down" in error_of(server, guided(text_to_image(), start=0.9, end=0.2))
    assert "sigma falls along the run" in error_of(server, guided(text_to_image(), start=0.3, end=5.0, unit="sigma"))
    assert "values" in error_of(server, guided(text_to_image(), shape="list", values="lots"))


def test_a_list_of_guidances_runs_and_changes_the_image(server):
    falling = guided(text_to_image(), shape="falling cosine", start=0.0, end=1.0, unit="log sigma")
    listed = guided(text_to_image(), shape="list", start=14.0, end=0.0, unit="sigma", values="14: 1, 5: 7, 0: 2")
    images = [pixels(server, ok(server.run(graph))) for graph in (falling, listed, text_to_image())]
    assert len(set(images)) == 3
