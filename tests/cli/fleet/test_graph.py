"""The graph of a job."""

from __future__ import annotations

from typing import Any

import pytest
from sigmasmith.cli.fleet.fields import checked_field
from sigmasmith.cli.fleet.graph import fit_node, graph_of, model_files
from sigmasmith.cli.fleet.jobs import Job


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def job(workflow: dict[str, Any] | None = None, **given: Any) -> Job:
    given = {"name": "mine"} | given | ({"workflow": "w.json"} if workflow is not None else {})
    return Job("mine", {name: checked_field(name, value) for name, value in given.items()}, "job", workflow or {})


def text_to_image() -> dict[str, Any]:
    """A loader with shift and guidance, one KSampler, and what comes after it."""
    return {
        "1": node("UNETLoader", unet_name="flux.safetensors"),
        "2": node("ModelSamplingFlux", model=["1", 0], max_shift=1.15),
        "3": node("CLIPLoader", clip_name="t5.safetensors"),
        "4": node("CLIPTextEncode", clip=["3", 0], text="a cat"),
        "5": node("FluxGuidance", conditioning=["4", 0], guidance=3.5),
        "6": node("ConditioningZeroOut", conditioning=["4", 0]),
        "7": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
        "8": node(
            "KSampler",
            model=["2", 0],
            positive=["5", 0],
            negative=["6", 0],
            latent_image=["7", 0],
            seed=1,
            steps=20,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "9": node("VAEDecode", samples=["8", 0], vae=["10", 0]),
        "10": node("VAELoader", vae_name="ae.safetensors"),
        "11": node("SaveImage", images=["9", 0], filename_prefix="x"),
    }


def test_a_checkpoint_with_loras_and_prompts_becomes_loader_loras_prompts_and_fit():
    given = {"checkpoint": "a.safetensors", "prompts": ["one", "two"], "cfg": 7, "size": "512x768", "negative": "bad"}
    graph = graph_of(
        job(None, **given, loras=[{"name": "x.safetensors", "strength": 0.5}, "y.safetensors"], steps=[5, 8])
    )
    inputs = fit_node(graph)["inputs"]
    assert inputs["model"] == ["lora_2", 0]
    assert graph["lora_2"]["inputs"]["model"] == ["lora_1", 0]
    assert graph["lora_1"]["inputs"]["strength_model"] == graph["lora_1"]["inputs"]["strength_clip"] == 0.5
    assert graph[inputs["positive_2"][0]]["inputs"] == {"clip": ["lora_2", 1], "text": "two"}
    assert graph["negative"]["inputs"]["text"] == "bad"
    assert graph["latent"]["inputs"] == {"width": 512, "height": 768, "batch_size": 1}
    assert (inputs["steps"], inputs["cfg"], inputs["sampler_name"]) == ("5, 8", 7.0, "sigmasmith_multistep")
    assert (inputs["name"], inputs["refit"], inputs["effort"]) == ("mine", False, "fast")


def test_a_fit_takes_the_place_of_the_ksampler_and_what_comes_after_it_is_left_out():
    graph = graph_of(job(text_to_image(), effort="fast"))
    assert graph["8"]["class_type"] == "SigmasmithFit"
    assert set(graph) == {"1", "2", "3", "4", "5", "6", "7", "8"}
    inputs = graph["8"]["inputs"]
    assert (inputs["latent"], inputs["steps"], inputs["sampler_name"], inputs["effort"]) == (
        ["7", 0],
        "20",
        "euler",
        "fast",
    )
    assert "scheduler" not in inputs


def test_what_the_job_says_goes_before_what_the_workflow_says():
    workflow = text_to_image()
    given = {"cfg": 2, "steps": 8, "sampler": "dpmpp_2m", "size": "512x512", "prompts": ["a dog", "a boat"]}
    graph = graph_of(job(workflow, **given, loras=["x.safetensors"]))
    inputs = fit_node(graph)["inputs"]
    assert (inputs["cfg"], inputs["steps"], inputs["sampler_name"]) == (2.0, "8", "dpmpp_2m")
    assert graph["7"]["inputs"]["width"] == 512
    assert graph["4"]["inputs"]["text"] == "a dog"
    assert graph[inputs["model"][0]]["inputs"]["model"] == ["2", 0]
    second = graph[inputs["positive_2"][0]]
    assert (second["class_type"], second["inputs"]["guidance"]) == ("FluxGuidance", 3.5)
    assert graph[second["inputs"]["conditioning"][0]]["inputs"] == {"clip": ["3", 0], "text": "a boat"}
    assert workflow == text_to_image()


def test_what_a_workflow_cannot_take_is_named():
    linked = text_to_image()
    linked["8"]["inputs"]["steps"] = ["12", 0]
    with pytest.raises(ValueError, match=r"^steps: of the workflow's KSampler it comes from another node"):
        graph_of(job(linked))
    assert graph_of(job(linked, steps=6))["8"]["inputs"]["steps"] == "6"
    photo = text_to_image()
    photo["7"] = node("VAEEncode", pixels=["20", 0])
    with pytest.raises(ValueError, match=r"^size: the latent of the workflow"):
        graph_of(job(photo, size="64x64"))
    guided = {"1": node("CFGGuider", cfg=3.0), "2": node("SigmasmithFitGuider", guider=["1", 0], steps="4")}
    assert fit_node(graph_of(job(guided, steps=5)))["inputs"]["steps"] == "5"
    with pytest.raises(ValueError, match=r"^cfg: the workflow fits on a guider"):
        graph_of(job(guided, cfg=5))


def test_jobs_on_the_same_loaders_are_one_group_whatever_their_loras():
    given = {"checkpoint": "a.safetensors", "prompts": "x", "cfg": 7, "size": "512x512"}
    plain = model_files(graph_of(job(None, **given)))
    styled = model_files(graph_of(job(None, **given, loras=["x.safetensors"])))
    other = model_files(graph_of(job(None, **(given | {"checkpoint": "b.safetensors"}))))
    assert plain == styled != other
    assert model_files(graph_of(job(text_to_image()))) == model_files(graph_of(job(text_to_image(), steps=4)))
