"""Searches on the host's own sampling path: of seeds and of children of a step. Run by in_process.py in the host."""

from __future__ import annotations

import dataclasses
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from checks_rewards import scores
from loaded_pack import KINDS, Messages, applied, latent, model_of, part, preset_for, prompt, raises
from torch import Tensor

import nodes

HOST: Any = nodes


class GreyVae:
    """Pictures of the first channel, four times the size; frames of a video in turn."""

    def decode(self, latents: Tensor) -> Tensor:
        grey = torch.sigmoid(latents[:, :1]).movedim(1, -1).expand(*latents.shape[:1], *latents.shape[2:], 3)
        return grey.repeat_interleave(4, dim=-3).repeat_interleave(4, dim=-2)


def reward(name: str = "brightness", **options: Any) -> Any:
    return part("schedules.search.rewards").image_reward(name, **options)


def seeds_inputs(model: Any, **changed: Any) -> dict[str, Any]:
    """Inputs of Search Seeds, but the node's id."""
    given: dict[str, Any] = {
        "model": model,
        "positive": prompt(0.5),
        "negative": prompt(0.0),
        "latent": latent(1, 4, 8, 8),
        "vae": GreyVae(),
        "reward": reward(),
        "seed": 11,
        "steps": 8,
        "cfg": 3.0,
        "sampler_name": "dpmpp_2m",
        "scheduler": "simple",
        "denoise": 1.0,
        "budget": 4.0,
        "draft_steps": 2,
        "keep": 0,
        "decode": "VAE",
        "method": "drafts",
    }
    return given | changed


def searched(model: Any, **changed: Any) -> Any:
    return part("nodes.search.work").searched_seeds(None, **seeds_inputs(model, **changed))


def ksampler(model: Any, seed: int, **changed: Any) -> Tensor:
    """What the host's KSampler node gives for the same inputs."""
    given = seeds_inputs(model, **changed)
    names = ("steps", "cfg", "sampler_name", "scheduler", "positive", "negative", "latent")
    return HOST.common_ksampler(model, seed, *[given[name] for name in names], denoise=given["denoise"])[0]["samples"]


def test_the_winner_is_what_a_plain_ksampler_makes_of_its_seed():
    for kind in KINDS:
        for sampler in ("dpmpp_2m", "euler", "euler_ancestral", "uni_pc", "heun"):
            model = model_of(kind)
            result = searched(model, sampler_name=sampler)
            want = ksampler(model, result.seed, sampler_name=sampler)
            assert torch.equal(result.latent["samples"], want), (kind, sampler)
            torch.testing.assert_close(result.images[:1], GreyVae().decode(want).clamp(0.0, 1.0))


def test_a_search_beats_its_first_seed_and_keeps_to_its_budget():
    for kind in KINDS:
        model = model_of(kind)
        network = model.model.diffusion_model
        ksampler(model, 1)
        per_run, network.calls = network.calls, 0
        result = searched(model, budget=6.0, scheduler="karras")
        assert network.calls <= 6 * per_run
        assert "20 drafts of 2 steps, 1 full run of 8: 48 model calls, 21 images scored" in result.report
        first = GreyVae().decode(ksampler(model, 11, scheduler="karras"))
        assert scores(reward(), result.images)[0] >= scores(reward(), first)[0]
        assert result.sheet.ndim == 4
        assert result.seeds.split(", ")[0] == str(result.seed)


def test_masks_images_and_videos_are_searched_as_a_ksampler_runs_them():
    image = 0.3 * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 8, 8)
    mask[..., 4:] = 1.0
    for kind in KINDS:
        model, start = model_of(kind), {"samples": image, "noise_mask": mask}
        result = searched(model, latent=start, denoise=0.7)
        assert torch.equal(result.latent["samples"], ksampler(model, result.seed, latent=start, denoise=0.7))
        torch.testing.assert_close(result.latent["samples"][..., :4], image[..., :4], atol=1e-5, rtol=0.0)
        video = model_of(kind, video=True)
        result = searched(video, latent=latent(1, 4, 3, 8, 8))
        assert torch.equal(result.latent["samples"], ksampler(video, result.seed, latent=latent(1, 4, 3, 8, 8)))
        assert result.images.shape == (1, 32, 32, 3)


def test_drafts_run_the_presets_few_steps_and_the_report_says_so():
    model = model_of("eps")
    assert "the model carries no preset" in searched(model).report
    fitted = applied(model, preset_for(model, counts=(2, 8)))
    with Messages() as texts:
        report = searched(fitted, scheduler="sigmasmith_optimal").report
    assert texts == [], texts
    assert "the preset's 2 fitted steps with dpmpp_2m" in report, report
    assert "interpolated to 3 steps" in searched(fitted, draft_steps=3).report


def test_a_reward_that_fails_is_named_and_the_best_so_far_is_given_out():
    calls: list[int] = []

    def odd(images: Tensor) -> Any:
        calls.append(len(images))
        return "nothing" if len(calls) == 5 else images.mean(dim=(1, 2, 3))

    model, kind = model_of("flow"), part("schedules.search.rewards").ScoreReward
    with Messages() as texts:
        result = searched(model, reward=kind("odd", odd))
    assert any("reward odd: it gave 'nothing' and no number (seed 15)" in text for text in texts), texts
    assert "What was made so far is kept" in result.report
    assert torch.equal(result.latent["samples"], ksampler(model, result.seed))
    said = raises(ValueError, searched, model, budget=1.1)
    assert said.startswith("budget: 1.1 images' worth")
    assert said.endswith("the least that works is 1.5"), said


def test_a_pruned_batch_gives_what_a_plain_ksampler_makes_of_the_seed_that_is_left():
    for kind in KINDS:
        for sampler in ("dpmpp_2m", "euler", "heun", "lms", "deis", "ipndm", "res_multistep", "dpm_2"):
            model = model_of(kind)
            result = searched(model, method="prune a batch", sampler_name=sampler)
            want = ksampler(model, result.seed, sampler_name=sampler)
            torch.testing.assert_close(result.latent["samples"], want, atol=1e-5, rtol=1e-5)
            assert "seeds in one run of 8 steps" in result.report
            calls = int(result.report.split(" model calls")[0].split()[-1])
            assert calls <= (8 if sampler in ("heun", "dpm_2") else 4) * 8, (sampler, result.report)


def search_sampler(**changed: Any) -> Any:
    given = {"budget": 24, "rule": "euler_ancestral", "eta": 1.0, "plan": "uniform", "paths": 1, "decode": "VAE"}
    return part("nodes.search.work").searching_sampler(
        None, **({"reward": reward(), "vae": GreyVae(), **given} | changed)
    )


def run(model: Any, sampler: Any, start: dict[str, Any], seed: int = 3) -> Tensor:
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 6)
    samples = start["samples"]
    noise = comfy.sample.prepare_noise(samples, seed)
    mask, prompts = start.get("noise_mask"), (prompt(0.5), prompt(0.0))
    return comfy.sample.sample_custom(
        model, noise, 3.0, sampler, sigmas, *prompts, samples, noise_mask=mask, disable_pbar=True, seed=seed
    )


def test_the_search_sampler_raises_the_reward_within_its_calls():
    for kind in KINDS:
        for rule in ("euler_ancestral", "dpmpp_2m_sde"):
            model, start = model_of(kind), latent(3, 4, 8, 8)
            plain = run(model, search_sampler(budget=7, rule=rule), start)
            model.model.diffusion_model.calls = 0
            best = run(model, search_sampler(budget=60, rule=rule), start)
            assert model.model.diffusion_model.calls <= 60
            assert best.shape == plain.shape
            before, after = (torch.tensor(scores(reward(), GreyVae().decode(x))) for x in (plain, best))
            assert float(after.mean()) > float(before.mean()), (kind, rule)


def test_with_one_child_a_step_it_is_the_hosts_own_sampler_with_other_noise():
    """Without noise left to draw, which is a run of two levels, they are the same."""
    for kind in KINDS:
        model, start = model_of(kind), latent(2, 4, 8, 8)
        sampling = model.get_model_object("model_sampling")
        sigmas = torch.stack([comfy.samplers.calculate_sigmas(sampling, "simple", 6)[2], torch.zeros(())])
        noise = comfy.sample.prepare_noise(start["samples"], 3)
        ends = [
            comfy.sample.sample_custom(
                model,
                noise,
                3.0,
                sampler,
                sigmas,
                prompt(0.5),
                prompt(0.0),
                start["samples"],
                disable_pbar=True,
                seed=3,
            )
            for sampler in (search_sampler(), comfy.samplers.sampler_object("euler_ancestral"))
        ]
        torch.testing.assert_close(*ends, atol=1e-5, rtol=1e-5)


def test_masks_and_videos_hold_in_a_search_inside_a_run():
    image = 0.3 * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1.0
    for kind in KINDS:
        end = run(model_of(kind), search_sampler(), {"samples": image, "noise_mask": mask})
        torch.testing.assert_close(end[..., :4], image[..., :4], atol=1e-5, rtol=0.0)
        video = run(model_of(kind, video=True), search_sampler(paths=2), latent(2, 4, 3, 8, 8))
        assert video.shape == (2, 4, 3, 8, 8)
        assert torch.isfinite(video).all()


def test_an_interrupt_ends_both_searches():
    def stop(images: Tensor) -> Tensor:
        comfy.model_management.interrupt_current_processing(True)
        return images.mean(dim=(1, 2, 3))

    stopping = part("schedules.search.rewards").ScoreReward("stop", stop)
    interrupt = comfy.model_management.InterruptProcessingException
    for start in (
        lambda: searched(model_of("eps"), reward=stopping),
        lambda: run(model_of("eps"), search_sampler(reward=stopping), latent(1, 4, 8, 8)),
    ):
        try:
            start()
        except interrupt:
            continue
        finally:
            comfy.model_management.interrupt_current_processing(False)
        raise AssertionError("it ran on")


def test_a_plan_is_typed_or_measured_and_a_pilot_says_what_it_needs():
    planned = part("nodes.search.work").planned
    given = {"plan": "until 0.4", "pilot_images": 0, "held_out_images": 4, "budget": 24, "rule": "euler_ancestral"}
    given |= {"eta": 1.0, "first_seed": 1, "cfg": 3.0, "decode": "VAE"}
    assert planned(**given)[0] == "until 0.4"
    said = raises(ValueError, lambda: planned(**given | {"pilot_images": 4}))
    assert said.startswith("model: a pilot needs it; connect model, positive, negative, latent, reward, sigmas"), said
    for kind in KINDS:
        model = model_of(kind)
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 6)
        links = {"model": model, "positive": prompt(0.5), "negative": prompt(0.0), "latent": latent(1, 4, 8, 8)}
        links |= {"reward": reward(), "vae": GreyVae(), "sigmas": sigmas}
        plan, info, _ = planned(**given | {"pilot_images": 4}, **links)
        assert part("schedules.search.widths").parse_widths(plan).text() == plan
        assert info.startswith("Spread of the children's scores by share of noise"), info


def test_a_preset_keeps_a_plan_and_the_sampler_runs_the_one_on_its_model():
    planned, widths = part("nodes.search.work").planned, part("schedules.search.widths")
    given = {"pilot_images": 0, "held_out_images": 4, "budget": 24, "rule": "euler_ancestral"}
    given |= {"eta": 1.0, "first_seed": 1, "cfg": 3.0, "decode": "VAE"}
    model = model_of("eps")
    plain = preset_for(model, counts=(6,))
    assert planned("uniform", **given)[2] is None
    _, _, kept = planned("until 0.6", **given, preset=plain)
    assert kept.hash == plain.hash
    assert planned("Preset", **given, preset=kept)[0] == "until 0.6"
    assert planned("preset", **given, preset=plain)[0] == "uniform"
    assert raises(ValueError, planned, "preset", **given).startswith("plan: preset is the plan that a preset keeps")
    odd = dataclasses.replace(kept, made=dataclasses.replace(kept.made, more={widths.PLAN_FACT: 3}))
    assert "is no line of text" in raises(ValueError, planned, "preset", **given, preset=odd)
    for on_model, plan in ((applied(model, kept), "until 0.6"), (applied(model, plain), "uniform"), (model, "uniform")):
        ends = [run(on_model, search_sampler(plan=name), latent(1, 4, 8, 8)) for name in ("preset", plan)]
        assert torch.equal(*ends), plan
    different = run(model, search_sampler(plan="until 0.6"), latent(1, 4, 8, 8))
    assert not torch.equal(different, run(model, search_sampler(), latent(1, 4, 8, 8)))


def test_refine_asks_a_critic_part_by_part_until_all_pass():
    refined = part("nodes.feedback.work").refined
    for kind in KINDS:
        model = model_of(kind)
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 6)
        given = {"model": model, "positive": prompt(0.5), "negative": prompt(0.0), "latent": latent(1, 4, 8, 8)}
        given |= {"seed": 3, "cfg": 3.0, "sampler": comfy.samplers.sampler_object("euler"), "sigmas": sigmas}
        given |= {"budget": 12, "share": 0.2, "critic": reward(), "vae": GreyVae(), "crops": 2}
        passed = refined(**given, pass_score=-1.0)
        assert "the critic passes" in passed.report, passed.report
        tried = refined(**given, pass_score=2.0)
        assert "100% of the pixels" in tried.report or "discarded" in tried.report, tried.report
        said = raises(ValueError, refined, **given | {"vae": None})
        assert said.startswith("vae: a critic looks at pictures"), said
