"""Searches in a real ComfyUI server: its own CLIP and CLIP Vision as reward, other packs' scores, a preset's plan."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from .answers import error_of, ok, preset_file, text_of
from .graphs import Graph, node, text_to_image
from .pack_graphs import fit_graph
from .server import ComfyServer, Result, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

PACK = Path(__file__).resolve().parents[2]
MODELS = ("tiny_sd15", "tiny_sd3")
STEPS, DRAFT = 8, 2
SAVED = {"author": "", "licence": "", "notes": "", "overwrite": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """With the stand-ins for score packs beside ours."""
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("search")
    make_tiny_models(host, base / "models")
    shutil.copytree(Path(__file__).with_name("score_packs"), base / "custom_nodes" / "StandIns")
    with ComfyServer(host, base, pack=PACK) as running:
        assert running.import_failures() == []
        yield running


def clip_reward(graph: Graph, words: str = "a red house by the sea") -> Graph:
    """The same with the checkpoint's CLIP and the vision half of it as `reward`."""
    graph["vision"] = node("CLIPVisionLoader", clip_name="tiny_clip_vision.safetensors")
    graph["reward"] = node("SigmasmithRewardClip", clip=["load", 1], clip_vision=["vision", 0], text=words)
    return graph


def search_graph(model: str, **changed: Any) -> Graph:
    """Search Seeds in place of the KSampler, called sample; the latent is saved too."""
    graph = text_to_image(model, steps=STEPS, sampler="dpmpp_2m", scheduler="karras", seed=5)
    given = graph["sample"]["inputs"]
    names = ("model", "positive", "negative", "seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
    inputs = {name: given[name] for name in names}
    inputs |= {"latent": ["latent", 0], "vae": ["load", 2], "reward": ["reward", 0], "budget": 2.0}
    inputs |= {"draft_steps": DRAFT, "keep": 1, "decode": "VAE", "method": "drafts"}
    graph["sample"] = node("SigmasmithSearchSeeds", **(inputs | changed))
    graph["keep"] = node("SaveLatent", samples=["sample", 0], filename_prefix="searched")
    graph["decode"]["inputs"]["samples"] = ["sample", 0]
    return clip_reward(graph)


def latent(server: ComfyServer, result: Result) -> Tensor:
    saved = result.outputs["keep"]["latents"][0]
    return load_file(server.base / "output" / saved["subfolder"] / saved["filename"])["latent_tensor"]


def told(server: ComfyServer) -> list[str]:
    """What the page was told since the last `clear`."""
    time.sleep(0.1)  # messages pass through the host's queue
    return [message["text"] for message in server.events.of_type("sigmasmith.message")]


def winner(result: Result) -> int:
    return int(text_of(result, "sample").split("Seed ")[1].split()[0])


@pytest.mark.parametrize("method", ["drafts", "prune a batch"])
@pytest.mark.parametrize("model", MODELS)
def test_the_winner_of_a_search_by_clip_is_what_a_plain_ksampler_makes_of_its_seed(server, model, method):
    result = ok(server.run(search_graph(model, method=method)))
    plain = text_to_image(model, steps=STEPS, sampler="dpmpp_2m", scheduler="karras", seed=winner(result))
    plain["keep"] = node("SaveLatent", samples=["sample", 0], filename_prefix="plain")
    searched, made = latent(server, result), latent(server, ok(server.run(plain)))
    assert float((searched - made).norm() / made.norm()) <= 1e-5
    assert "by CLIP likeness to 'a red house by the sea'" in text_of(result, "sample")


def test_clip_scores_differ_by_picture_and_by_text_and_the_best_draft_is_run(server):
    """Twice with the same pictures: another text gives other scores."""
    said = []
    for words in ("a red house by the sea", "a boat"):
        graph = clip_reward(search_graph("tiny_sd15"), words)
        said.append(text_of(ok(server.run(graph)), "sample"))
    scores = [line.split(": ")[1] for report in said for line in report.splitlines() if line.startswith("Draft scores")]
    assert len(set(scores)) == 2
    for each in scores:
        least, most = each.split(", mean")[0].split(" to ")
        assert -100.0 <= float(least) < float(most) <= 100.0


SCORES = (
    {"node": "StandInImageReward", "settings": "prompt = a house", "link_names": "model", "link_1": ["own", 0]},
    {"node": "StandInHPSv2", "settings": "prompt = a house", "link_names": ""},
    {"node": "StandInHPSv2", "settings": "", "link_names": "", "output": "STRING"},
    {"node": "StandInPickScore", "settings": "prompt = a house", "link_names": ""},
    {"node": "StandInAesthetic", "settings": "", "link_names": ""},
)


def scored_by(given: dict[str, Any], **changed: Any) -> Graph:
    graph = search_graph("tiny_sd15", **changed)
    graph["own"] = node("StandInLoader", factor=1.0)
    graph["reward"] = node("SigmasmithRewardFromNode", **given)
    return graph


def test_scores_of_other_packs_choose_one_and_the_same_seed(server):
    """All of them look at the red of a picture, each in the output type of another pack."""
    winners = {winner(ok(server.run(scored_by(given)))) for given in SCORES}
    assert len(winners) == 1


def custom(model: str, **sampler: Any) -> Graph:
    """SamplerCustom with Search Sampler, called search."""
    graph = text_to_image(model, steps=STEPS, batch=2)
    graph["reward"] = node("SigmasmithRewardImage", measure="brightness", wanted="more")
    given = graph["sample"]["inputs"]
    inputs = {"budget": 3 * STEPS, "rule": "euler_ancestral", "eta": 1.0, "plan": "uniform", "paths": 1}
    inputs |= {"decode": "VAE", "seeds": "", "vae": ["load", 2], "reward": ["reward", 0]}
    graph["search"] = node("SigmasmithSearchSampler", **(inputs | sampler))
    graph["sigmas"] = node("BasicScheduler", model=["load", 0], scheduler="karras", steps=STEPS, denoise=1.0)
    kept = {name: given[name] for name in ("model", "cfg", "positive", "negative", "latent_image")}
    graph["sample"] = node(
        "SamplerCustom", add_noise=True, noise_seed=3, sampler=["search", 0], sigmas=["sigmas", 0], **kept
    )
    return graph


@pytest.mark.parametrize("model", MODELS)
def test_a_plan_that_a_preset_keeps_is_run_by_the_search_sampler(server, model):
    ok(server.run(fit_graph(model, name=f"{model} plain")))
    keep = {
        "preset": node("SigmasmithLoadPreset", preset=f"{model} plain", share_code=""),
        "plan": node(
            "SigmasmithSearchPlan",
            plan="until 0.6",
            pilot_images=0,
            held_out_images=4,
            budget=24,
            rule="euler_ancestral",
            eta=1.0,
            first_seed=1,
            cfg=5.0,
            decode="VAE",
            preset=["preset", 0],
        ),
        "save": node("SigmasmithSavePreset", preset=["plan", 2], name=f"{model} planned", **SAVED),
    }
    ok(server.run(keep))
    assert preset_file(server, f"{model} planned").exists()
    graph = custom(model, plan="preset")
    graph["kept"] = node("SigmasmithLoadPreset", preset=f"{model} planned", share_code="")
    graph["apply"] = node("SigmasmithApply", model=["load", 0], preset=["kept", 0])
    graph["sample"]["inputs"]["model"] = ["apply", 0]
    server.events.clear()
    ok(server.run(graph))
    assert any("(plan until 0.6)" in text for text in told(server))
    server.events.clear()
    ok(server.run(custom(model, plan="preset")))
    assert any("(plan uniform)" in text for text in told(server))


def test_no_error_is_in_the_log(server):
    lines = server.log().splitlines()
    assert [line for line in lines if "Sigmasmith" in line and line.lstrip().startswith("File ")] == []


# From here on errors are asked for.


def test_a_reward_without_a_text_is_named(server):
    graph = search_graph("tiny_sd15")
    graph["reward"]["inputs"]["text"] = " "
    assert error_of(server, graph).startswith("text: it is empty")


def test_a_pack_that_fails_on_one_image_is_named_and_the_images_made_so_far_are_given_out(server):
    drafts = "Draft scores: "
    # With a setting that changes nothing, for a host answers what it has run before without the node's text.
    report = text_of(ok(server.run(scored_by(SCORES[-1] | {"settings": "least = -1000"}))), "sample")
    least, most = report.split(drafts)[1].split(", mean")[0].split(" to ")
    between = 0.5 * (float(least) + float(most))
    graph = scored_by(SCORES[-1] | {"settings": f"least = {between}"})
    server.events.clear()
    report = text_of(ok(server.run(graph)), "sample")
    assert "Stopped early: reward StandInAesthetic: it failed: RuntimeError: too dark (seed " in report
    assert "What was made so far is kept" in report
    assert any("The search stopped early: reward StandInAesthetic" in text for text in told(server))


NO_SCORE = {
    "NaN": "it gave NaN or infinity",
    "text": "it gave no row of numbers for each of",
    "one number": "it gave no row of numbers for each of",
    "failure": "it failed: RuntimeError: out of sorts",
}


@pytest.mark.parametrize("gives", NO_SCORE)
def test_a_reward_without_a_score_is_named_and_the_images_made_so_far_are_given_out(server, gives):
    """After two drafts of four: the better one is run in full, as a plain KSampler makes it."""
    graph = search_graph("tiny_sd15")
    graph["reward"] = node("StandInReward", gives=gives, after=2)
    result = ok(server.run(graph))
    report = text_of(result, "sample")
    assert f"Stopped early: reward odd: {NO_SCORE[gives]}" in report
    assert "What was made so far is kept" in report
    plain = text_to_image("tiny_sd15", steps=STEPS, sampler="dpmpp_2m", scheduler="karras", seed=winner(result))
    plain["keep"] = node("SaveLatent", samples=["sample", 0], filename_prefix="plain")
    made = latent(server, ok(server.run(plain)))
    assert float((latent(server, result) - made).norm() / made.norm()) <= 1e-5


@pytest.mark.parametrize("gives", NO_SCORE)
def test_a_reward_that_fails_inside_a_run_is_named_and_the_run_ends_without_it(server, gives):
    graph = custom("tiny_sd15")
    graph["reward"] = node("StandInReward", gives=gives, after=6)
    server.events.clear()
    images = ok(server.run(graph)).outputs["save"]["images"]
    assert len(images) == 2
    assert any(f"reward odd: {NO_SCORE[gives]}" in text for text in told(server))


def test_budgets_that_are_too_small_say_the_least_that_works(server):
    assert "the least that works is 1.5" in error_of(server, search_graph("tiny_sd15", budget=1.1))
    assert f"the least is {STEPS + 1}" in error_of(server, custom("tiny_sd15", budget=STEPS))
    assert "plan: 'often' is not understood" in error_of(server, custom("tiny_sd15", plan="often"))
