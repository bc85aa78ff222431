"""Error Map and Refine by Error on the host's own sampling path. Run by in_process.py in the host."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from loaded_pack import KINDS, latent, model_of, part, prompt, raises
from torch import Tensor


def inputs(model: Any, scheduler: str = "simple", steps: int = 8, sampler: str = "dpmpp_2m", **changed: Any) -> Any:
    """Inputs of the nodes."""
    sampling = model.get_model_object("model_sampling")
    given: dict[str, Any] = {
        "model": model,
        "positive": prompt(0.5),
        "negative": prompt(0.0),
        "latent": latent(2, 4, 8, 8),
        "seed": 3,
        "cfg": 3.0,
        "sampler": comfy.samplers.sampler_object(sampler),
        "sigmas": comfy.samplers.calculate_sigmas(sampling, scheduler, steps),
    }
    return given | changed


def plain(given: dict[str, Any], sigmas: Tensor | None = None) -> Tensor:
    """The host's own run of these inputs."""
    samples = given["latent"]["samples"]
    noise = comfy.sample.prepare_noise(samples, given["seed"])
    return comfy.sample.sample_custom(
        given["model"],
        noise,
        given["cfg"],
        given["sampler"],
        given["sigmas"] if sigmas is None else sigmas,
        given["positive"],
        given["negative"],
        samples,
        noise_mask=given["latent"].get("noise_mask"),
        disable_pbar=True,
        seed=given["seed"],
    )


def exact(given: dict[str, Any]) -> Tensor:
    sampling = given["model"].get_model_object("model_sampling")
    return plain(given, comfy.samplers.calculate_sigmas(sampling, "sgm_uniform", 300))


def test_the_map_costs_no_model_call_and_changes_nothing():
    for kind in KINDS:
        model = model_of(kind)
        for sampler in ("dpmpp_2m", "euler", "heun", "euler_ancestral", "uni_pc", "ddim", "dpm_adaptive"):
            given = inputs(model, sampler=sampler)
            want = plain(given)
            model.model.diffusion_model.calls = 0
            want_again = plain(given)
            calls = model.model.diffusion_model.calls
            model.model.diffusion_model.calls = 0
            found = part("nodes.feedback.work").error_map(**given)
            assert model.model.diffusion_model.calls == calls, sampler
            assert torch.equal(want, want_again)
            assert torch.equal(found.latent["samples"], want), (kind, sampler)
            assert found.picture.shape == (2, 64, 64, 3)
            assert found.mask.shape == (2, 64, 64)
            assert 0.0 <= float(found.mask.min()) <= float(found.mask.max()) <= 1.0
            assert "Image 2: estimated error" in found.report


def test_the_map_is_large_where_the_error_is():
    for kind in KINDS:
        given = inputs(model_of(kind), sampler="euler")
        run = part("nodes.host.feedback")
        runs = run.ObservedRuns(run.SamplingInputs(**given), 8)
        first = runs.first()
        error = (first.end - exact(given)).square().mean(dim=1).sqrt().flatten(1)
        guess = first.record.map().flatten(1)
        for row in range(2):
            ranks = [values[row].argsort().argsort().float() for values in (error, guess)]
            assert float(torch.corrcoef(torch.stack(ranks))[0, 1]) > 0.5, kind


def test_going_back_to_a_state_over_all_pixels_repeats_the_run():
    for kind in KINDS:
        given = inputs(model_of(kind), sampler="euler")
        run = part("nodes.host.feedback")
        runs = run.ObservedRuns(run.SamplingInputs(**given), 8)
        first = runs.first(keep_states=True)
        whole = torch.ones(2, 8, 8)
        for start in (0, 3, 6):
            again = runs.again(first.record.states[start], given["sigmas"][start:], first.end, whole, 99)
            assert again is not None
            torch.testing.assert_close(again.end, first.end, atol=2e-5, rtol=0.0)
            assert again.calls == 8 - start


def test_an_image_that_is_changed_is_refined_on_its_own_noise_whatever_the_latents_scale():
    for kind in KINDS:
        model = model_of(kind)
        model.model.latent_format.scale_factor = 0.3
        image = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        given = inputs(model, latent={"samples": image}, sampler="euler")
        given["sigmas"] = given["sigmas"][3:]
        run = part("nodes.host.feedback")
        runs = run.ObservedRuns(run.SamplingInputs(**given), 5)
        first = runs.first(keep_states=True)
        assert torch.equal(first.end, plain(given))
        again = runs.again(first.record.states[2], given["sigmas"][2:], first.end, torch.ones(2, 8, 8), 99)
        assert again is not None
        torch.testing.assert_close(again.end, first.end, atol=1e-4, rtol=0.0)
        # Half of the image only: the other half is held on the way and kept in the end.
        left = torch.zeros(2, 8, 8)
        left[..., :4] = 1.0
        again = runs.again(first.record.states[2], given["sigmas"][2:], first.end, left, 99)
        assert again is not None
        torch.testing.assert_close(again.end[..., 4:], first.end[..., 4:], atol=1e-4, rtol=0.0)


def test_refine_lowers_the_true_error_and_keeps_the_rest_bit_equal():
    for kind in KINDS:
        for shape in ((2, 4, 8, 8), (1, 4, 3, 8, 8)):
            given = inputs(model_of(kind, video=len(shape) == 5), latent=latent(*shape), sampler="euler")
            before, best = plain(given), exact(given)
            found = part("nodes.feedback.work").refined(budget=12, share=0.2, **given)
            after = found.latent["samples"]
            assert after.shape == before.shape
            region = found.mask.reshape(shape[0], -1, 64, 64)[..., ::8, ::8]
            region = region if len(shape) == 5 else region[:, 0]
            outside = (region == 0.0).unsqueeze(1).expand(after.shape)
            assert torch.equal(after[outside], before[outside])
            assert float(region.mean()) < 0.9
            gain = float((after - best).std() / (before - best).std())
            assert gain < 1.0, (kind, shape, gain)
            assert "kept" in found.report
            whole = part("nodes.feedback.work").refined(budget=12, share=1.0, **given)
            assert float((whole.latent["samples"] - best).std()) < float((before - best).std())


def test_calls_never_exceed_the_budget_and_it_stops_in_words():
    model = model_of("flow")
    for sampler, budget in (
        ("dpmpp_2m", 2),
        ("dpmpp_2m", 7),
        ("heun", 9),
        ("heun", 61),
        ("euler", 50),
        ("dpm_adaptive", 20),
    ):
        given = inputs(model, sampler=sampler)
        run = part("nodes.host.feedback")
        runs = run.ObservedRuns(run.SamplingInputs(**given), 8)
        first = runs.first(keep_states=True)
        found = part("schedules.feedback.refine").refine(
            first, given["sigmas"], runs.again, budget=budget, sigma_min=0.003, share=0.3
        )
        assert found.calls <= budget, sampler
        assert runs.done == first.calls + found.calls
        assert found.reason


def test_masks_limit_the_region():
    given = inputs(model_of("eps"))
    half = torch.zeros(1, 64, 64)
    half[:, :, :32] = 1.0
    before = plain(given)
    found = part("nodes.feedback.work").refined(budget=16, share=1.0, mask=half, **given)
    assert torch.equal(found.latent["samples"][..., 4:], before[..., 4:])
    assert not torch.equal(found.latent["samples"][..., :4], before[..., :4])
    # The latent's own noise mask: what it keeps of an image stays.
    image = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    own = given | {"latent": {"samples": image, "noise_mask": half.unsqueeze(1)}}
    found = part("nodes.feedback.work").refined(budget=16, share=1.0, **own)
    torch.testing.assert_close(found.latent["samples"][..., 4:], image[..., 4:], atol=1e-5, rtol=0.0)
    assert not bool(found.mask[..., 32:].any())


def test_bad_inputs_are_named():
    runs = part("nodes.feedback.work")
    given = inputs(model_of("eps"))
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("refined", {"mask": torch.ones(1, 64, 40)}, "mask: its shape"),
        ("refined", {"mask": torch.ones(3, 64, 64)}, "mask: it holds 3 masks for 2 images"),
        ("refined", {"mask": torch.zeros(1, 64, 64)}, "mask: it lets no pixel"),
        ("refined", {"budget": 0}, "budget"),
        ("refined", {"budget": 1}, "budget"),
        ("refined", {"share": 0.0}, "share"),
        ("refined", {"sigmas": given["sigmas"][:-1]}, "sigmas must end in 0"),
        ("error_map", {"sigmas": given["sigmas"].flip(0)}, "sigmas must be strictly decreasing"),
        ("error_map", {"sampler": object()}, "sampler"),
        ("error_map", {"latent": {}}, "latent"),
        ("error_map", {"latent": {"samples": torch.full((1, 4, 8, 8), torch.nan)}}, "latent"),
    ]
    for name, changed, words in cases:
        settings = {"budget": 8, "share": 0.25} if name == "refined" else {}
        assert words in raises(ValueError, getattr(runs, name), **(given | settings | changed)), (name, changed)


def test_a_model_that_returns_nan_is_named_with_the_sigma():
    model = model_of("flow")
    network = model.model.diffusion_model
    inner = network.forward

    def forward(xc: Tensor, *args: Any, transformer_options: Any = None, **kwargs: Any) -> Tensor:
        out = inner(xc, *args, transformer_options=transformer_options, **kwargs)
        return out * torch.nan if float(transformer_options["sigmas"][0]) < 0.5 else out

    network.forward = forward
    given = inputs(model)
    runs = part("nodes.feedback.work")
    for function, settings in ((runs.error_map, {}), (runs.refined, {"budget": 8, "share": 0.25})):
        message = raises(ValueError, function, **given, **settings)
        assert message.startswith("model: it returned NaN")
        assert "at sigma 0." in message


def test_a_split_schedule_can_be_mapped():
    given = inputs(model_of("eps"))
    found = part("nodes.feedback.work").error_map(**(given | {"sigmas": given["sigmas"][:5]}))
    assert "4 model calls" in found.report


def test_the_weighted_2m_is_in_the_dropdown_and_runs_on_every_kind_of_latent():
    assert "sigmasmith_2m_weighted" in comfy.samplers.KSampler.SAMPLERS
    for kind in KINDS:
        given = inputs(model_of(kind), sampler="sigmasmith_2m_weighted")
        error = float((plain(given) - exact(given)).std())
        assert error < float((plain(inputs(given["model"], sampler="euler")) - exact(given)).std()), kind
        video = inputs(model_of(kind, video=True), latent=latent(1, 4, 3, 8, 8), sampler="sigmasmith_2m_weighted")
        assert plain(video).shape == (1, 4, 3, 8, 8)


def test_the_weighted_2m_keeps_an_inpainting_mask():
    image = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32] = 1.0
    masked = {"samples": image, "noise_mask": mask}
    end = plain(inputs(model_of("flow"), sampler="sigmasmith_2m_weighted", latent=masked))
    torch.testing.assert_close(end[..., 4:], image[..., 4:], atol=1e-5, rtol=0.0)
    assert not torch.allclose(end[..., :4], image[..., :4], atol=0.1)
