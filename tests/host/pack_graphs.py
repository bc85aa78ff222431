"""Graphs that use the pack, for the server tests."""

from __future__ import annotations

from typing import Any

from .graphs import Graph, node, text_to_image

STEPS = 4


def fit_graph(model: str, size: int = 64, **settings: Any) -> Graph:
    """Checkpoint to Fit, the node called fit."""
    graph = text_to_image(model, size=size)
    for unused in ("sample", "decode", "save"):
        del graph[unused]
    inputs: dict[str, Any] = {
        "model": ["load", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent": ["latent", 0],
        "cfg": 5.0,
        "sampler_name": "euler",
        "steps": str(STEPS),
        "noises": 4,
        "effort": "fast",
        "calibration_seed": 0,
        "minutes": 0.0,
        "name": model,
        "refit": False,
    }
    graph["fit"] = node("SigmasmithFit", **(inputs | settings))
    return graph


def use_graph(preset: str = "sd3", model: str = "tiny_sd3", **sampling: Any) -> Graph:
    """A saved preset under a plain KSampler; the nodes are called preset, apply and sample."""
    settings: dict[str, Any] = {"steps": STEPS, "scheduler": "sigmasmith_optimal"}
    graph = text_to_image(model, **(settings | sampling))
    graph["preset"] = node("SigmasmithLoadPreset", preset=preset, share_code="")
    graph["apply"] = node("SigmasmithApply", model=["load", 0], preset=["preset", 0])
    graph["sample"]["inputs"]["model"] = ["apply", 0]
    return graph


def custom_sampler(graph: Graph, sigmas: list[Any]) -> Graph:
    """The same graph with SamplerCustom in place of KSampler."""
    given = graph["sample"]["inputs"]
    graph["kind"] = node("KSamplerSelect", sampler_name=given["sampler_name"])
    graph["sample"] = node(
        "SamplerCustom",
        add_noise=True,
        noise_seed=given["seed"],
        sampler=["kind", 0],
        sigmas=sigmas,
        **{name: given[name] for name in ("model", "cfg", "positive", "negative", "latent_image")},
    )
    return graph
