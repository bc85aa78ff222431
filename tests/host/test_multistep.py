"""The fitted multistep sampler in a real ComfyUI server: fitted, saved, and run from the dropdown and as a SAMPLER."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from .answers import ok, picture, pixels
from .graphs import Graph, node
from .pack_graphs import custom_sampler, fit_graph, use_graph
from .server import ComfyServer, Result

pytestmark = [pytest.mark.host, pytest.mark.slow]

SAMPLER, STEPS = "sigmasmith_multistep", 4
MODELS = ("tiny_sd15", "tiny_sd3")


def fit(server: ComfyServer, model: str) -> Result:
    return ok(
        server.run(
            fit_graph(model, sampler_name=SAMPLER, steps=str(STEPS), name=f"multi_{model}", noises=4), timeout=300
        )
    )


def plain(model: str, **settings: object) -> Graph:
    """A KSampler behind Apply Schedule."""
    return use_graph(f"multi_{model}", model, **({"sampler": SAMPLER, "steps": STEPS} | settings))


def custom(model: str) -> Graph:
    """The same preset through its SIGMAS and its SAMPLER."""
    graph = custom_sampler(plain(model), ["sigmas", 0])
    graph["sample"]["inputs"]["model"] = ["load", 0]
    graph["sigmas"] = node(
        "SigmasmithSchedule", preset=["preset", 0], steps=STEPS, denoise=1.0, mode="host (keep the steps)"
    )
    graph["kind"] = node("SigmasmithMultistep", preset=["preset", 0])
    del graph["apply"]
    return graph


@pytest.mark.parametrize("model", MODELS)
def test_a_fitted_sampler_runs_from_the_dropdown_and_as_a_node_alike(server, model):
    fit(server, model)
    before = len(server.log())
    dropdown = pixels(server, ok(server.run(plain(model))))
    assert "runs as dpmpp_2m" not in server.log()[before:]
    assert pixels(server, ok(server.run(custom(model)))) == dropdown
    other = pixels(server, ok(server.run(plain(model, sampler="dpmpp_2m"))))
    assert other != dropdown


def test_other_steps_run_the_family_and_other_lists_dpmpp_2m_and_it_is_said(server):
    fit(server, "tiny_sd15")
    before = len(server.log())
    ours = pixels(server, ok(server.run(plain("tiny_sd15", steps=7))))
    assert "not fitted for this count: the family's, at this model's scale" in server.log()[before:]
    assert "runs as dpmpp_2m" not in server.log()[before:]
    assert pixels(server, ok(server.run(plain("tiny_sd15", steps=7, sampler="dpmpp_2m")))) != ours
    before = len(server.log())
    karras = pixels(server, ok(server.run(without_preset("sigmasmith_multistep"))))
    assert "sigmasmith_multistep runs as dpmpp_2m: the family's coefficients belong to" in server.log()[before:]
    assert pixels(server, ok(server.run(without_preset("dpmpp_2m")))) == karras


def test_a_run_from_the_middle_has_the_familys_coefficients(server):
    before, pictures = len(server.log()), []
    for sampler in ("sigmasmith_multistep", "dpmpp_2m"):
        graph = without_preset(sampler, "sigmasmith_optimal")
        graph["sample"]["inputs"]["denoise"] = 0.6
        pictures.append(pixels(server, ok(server.run(graph))))
    assert "runs as dpmpp_2m" not in server.log()[before:]
    assert pictures[0] != pictures[1]


def test_the_dropdown_knows_the_sampler_of_its_node_and_on_flow_models_serves_its_own_alone(server):
    for sampler, said in (
        ("dpmpp_2m", "runs 4 steps of simple with dpmpp_2m"),
        ("sigmasmith_multistep", "runs the family's 4 steps"),
    ):
        before = len(server.log())
        ok(server.run(without_preset(sampler, "sigmasmith_optimal", "tiny_sd3")))
        assert said in server.log()[before:]
        assert "do better on simple" not in server.log()[before:]


def test_a_saved_picture_of_a_run_without_a_preset_carries_the_sigmas_that_ran(server):
    for sampler, settings, levels in (
        ("sigmasmith_multistep", {}, STEPS + 1),
        ("dpmpp_2m", {"denoise": 0.5}, STEPS + 1),
        ("dpm_2", {}, STEPS + 1),
    ):
        graph = without_preset(sampler, "sigmasmith_optimal")
        graph["sample"]["inputs"] |= settings
        data = picture(server, ok(server.run(graph)))
        (run,) = json.loads(Image.open(io.BytesIO(data)).info["sigmasmith"])["runs"].values()
        assert run["sampler"] == sampler
        assert len(run["sigmas"]) == levels
        assert (run["sigmas"][0] < 14.0) == ("denoise" in settings)


def without_preset(sampler: str, scheduler: str = "karras", model: str = "tiny_sd15") -> Graph:
    """The model as it is loaded."""
    graph = plain(model, sampler=sampler, scheduler=scheduler)
    graph["sample"]["inputs"]["model"] = ["load", 0]
    return graph
