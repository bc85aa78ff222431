"""The Variance and DDIM nodes in a real ComfyUI server, as prompts."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from .answers import error_of, ok, picture, pixels
from .graphs import Graph, node, text_to_image
from .pack_graphs import custom_sampler
from .server import ComfyServer, Result

pytestmark = [pytest.mark.host, pytest.mark.slow]

MODELS = ("tiny_sd15", "tiny_sd3")
VARIANCE = {
    "eta": "cosine 1 to 0",
    "s_noise": "1",
    "posterior": 0.0,
    "clamp": "0",
    "s_churn": 0.0,
    "s_tmin": 0.0,
    "s_tmax": 1000.0,
    "restarts": "",
    "noise": "the sampler's own",
}
DDIM = {"eta": "0", "noise": "per image, CPU", "corrections": 12, "tolerance": 0.005, "check": False}


def sampled(model: str, sampler: dict[str, Any], steps: int = 4, kind: str = "euler", **settings: Any) -> Graph:
    """Text to image with SamplerCustom; the sampler node is called variance, the host's sampler kind."""
    graph = custom_sampler(text_to_image(model, sampler=kind, **settings), ["sigmas", 0])
    graph["sigmas"] = node("BasicScheduler", model=["load", 0], scheduler="karras", steps=steps, denoise=1.0)
    graph["variance"] = sampler
    graph["sample"]["inputs"]["sampler"] = ["variance", 0]
    return graph


def variance(**changed: Any) -> dict[str, Any]:
    return node("SigmasmithVariance", sampler=["kind", 0], **(VARIANCE | changed))


def ddim(**changed: Any) -> dict[str, Any]:
    return node("SigmasmithDDIM", **(DDIM | changed))


def image(server: ComfyServer, result: Result, where: str) -> bytes:
    return Image.open(io.BytesIO(picture(server, result, where))).convert("RGB").tobytes()


def shown(server: ComfyServer, graph: Graph) -> str:
    """Text below the node during a run that must succeed; a host that shows none has it in its log."""
    before = len(server.log())
    ok(server.run(graph))
    return server.log()[before:]


@pytest.mark.parametrize("model", MODELS)
def test_every_control_runs_and_says_what_it_added(server, model):
    cases = {
        "eta": variance(),
        "posterior": variance(eta="", posterior=0.5),
        "clamp": variance(eta="0.5", clamp="cosine 1 to 0"),
        "churn": variance(eta="0", s_churn=4.0, s_tmin=0.05, s_tmax=0.95),
        "restarts": variance(eta="", restarts="0.1-0.6 x2", noise="one path, CPU", seeds="7, 9"),
    }
    for name, sampler in cases.items():
        kind = "euler_ancestral" if name == "posterior" else "euler"
        said = shown(server, sampled(model, sampler, kind=kind, batch=2))
        assert "step 1: sigma" in said, name
        assert "noise std" in said, name


@pytest.mark.parametrize("model", MODELS)
def test_eta_0_gives_the_hosts_image_and_a_second_prompt_the_same(server, model):
    theirs = pixels(server, ok(server.run(sampled(model, ddim(), seed=8))))
    plain = sampled(model, ddim(), seed=8)
    plain["sample"]["inputs"]["sampler"] = ["kind", 0]
    del plain["variance"]
    assert pixels(server, ok(server.run(plain))) == theirs
    assert pixels(server, ok(server.run(sampled(model, variance(eta="0"), seed=8)))) == theirs
    noisy = sampled(model, ddim(eta="1", seeds="3"), seed=8)
    first = pixels(server, ok(server.run(noisy)))
    noisy["save"]["inputs"]["filename_prefix"] = "again"
    assert pixels(server, ok(server.run(noisy))) == first != theirs


@pytest.mark.parametrize("model", MODELS)
def test_an_inverted_latent_brings_its_image_back(server, model):
    graph = sampled(model, node("KSamplerSelect", sampler_name="dpmpp_2m"), steps=20, cfg=1.0)
    given = graph["sample"]["inputs"]
    graph["ddim"] = ddim(check=True)
    graph["flipped"] = node("FlipSigmas", sigmas=["sigmas", 0])
    quiet = {**given, "sampler": ["ddim", 0], "add_noise": False}
    graph["invert"] = node("SamplerCustom", **{**quiet, "sigmas": ["flipped", 0], "latent_image": ["sample", 0]})
    graph["again"] = node("SamplerCustom", **{**quiet, "latent_image": ["invert", 0]})
    graph["decode_again"] = node("VAEDecode", samples=["again", 0], vae=["load", 2])
    graph["save_again"] = node("SaveImage", images=["decode_again", 0], filename_prefix="again")
    before = len(server.log())
    result = ok(server.run(graph))
    said = server.log()[before:]
    assert "round-trip error" in said
    first, second = (image(server, result, name) for name in ("save", "save_again"))
    apart = sum(abs(a - b) for a, b in zip(first, second)) / len(first)
    other = pixels(server, ok(server.run(text_to_image(model, seed=77, cfg=1.0))))
    assert apart < 0.1 * sum(abs(a - b) for a, b in zip(first, other)) / len(first)


def test_an_inpaint_mask_runs_through(server):
    graph = sampled("tiny_sd3", variance(restarts="0.1-0.6"))
    graph["mask"] = node("SolidMask", value=1.0, width=64, height=64)
    graph["masked"] = node("SetLatentNoiseMask", samples=["latent", 0], mask=["mask", 0])
    graph["sample"]["inputs"]["latent_image"] = ["masked", 0]
    ok(server.run(graph))


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (variance(eta="2"), "eta must be from 0 to 1"),
        (variance(eta="cosine"), "eta: 'cosine' is not understood"),
        (variance(eta="window 1 from 0.3 to 5"), "eta: the window is upside down"),
        (variance(s_noise="-1"), "s_noise must be from 0 to 2"),
        (variance(s_churn=1.0, s_tmin=5.0, s_tmax=1.0), "s_tmin, s_tmax: the window is upside down"),
        (variance(restarts="5-1"), "restarts: the window is upside down"),
        (variance(restarts="100-200"), "restarts: no step of this run"),
        (variance(eta="0.5", posterior=0.5), "posterior"),
        (variance(posterior=2.0), "posterior"),
        (variance(eta="list 1, 0"), "eta lists 2 values and the run has 4 steps"),
        (variance(seeds="7"), "seeds"),
        (ddim(eta="-0.1"), "eta must be from 0 to 1"),
        (ddim(seeds="7, x"), "seeds: 'x' is no seed"),
        (ddim(corrections=-1), "corrections"),
    ],
)
def test_bad_input_is_answered_with_the_inputs_name(server, sampler, words):
    assert words in error_of(server, sampled("tiny_sd15", sampler))
