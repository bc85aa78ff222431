"""Fits for images that are changed, and the host's KSampler below denoise 1 with them.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import comfy.samplers
import torch
from loaded_pack import KINDS, Messages, applied, fit_inputs, fitted, guider_of, model_of, part, prompt, raises

CPU = torch.device("cpu")


def images(rows: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(rows, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * 0.5 + 0.3


def sampler_of(model, scheduler: str, steps: int, denoise: float):
    return comfy.samplers.KSampler(model, steps, CPU, "dpmpp_2m", scheduler, denoise, model.model_options)


def ended(sampler, sigmas: torch.Tensor | None = None) -> torch.Tensor:
    """The host's KSampler on an image, with its own sigmas or others."""
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    return sampler.sample(noise, prompt(0.5), prompt(0.0), 3.0, images(1), sigmas=sigmas, disable_pbar=True, seed=5)


def test_a_fit_below_denoise_1_is_what_the_hosts_sampler_runs_there_to_the_last_bit():
    for kind in KINDS:
        model = model_of(kind)
        result = fitted(model, name=f"half_{kind}", denoise=0.5, steps="5, 6")
        preset, on = result.preset, applied(model, result.preset)
        assert preset.denoise == 0.5
        assert set(preset.schedules) == {10, 12}
        assert "denoise 0.5" in result.report
        simple = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 10)
        assert abs(float(result.sigmas[0]) / float(simple[5]) - 1.0) < 0.02, (kind, result.sigmas, simple)
        for steps in (5, 6):
            with Messages() as said:
                half = sampler_of(on, "sigmasmith_optimal", steps, 0.5)
                ended(half)
            assert torch.equal(half.sigmas, preset.sigmas(steps, 0.5))
            assert not said, said
            assert set(preset.errors[2 * steps]) > {"fitted"}
        assert torch.equal(result.sigmas, preset.sigmas(5, 0.5))


def test_its_runs_end_nearer_to_many_steps_than_those_of_the_hosts_default():
    for kind in KINDS:
        model = model_of(kind)
        on = applied(model, fitted(model, name=f"near_{kind}", denoise=0.5).preset)
        ours, stock = (sampler_of(on, scheduler, 5, 0.5) for scheduler in ("sigmasmith_optimal", "simple"))
        start = ours.sigmas[:1]
        reference = ended(stock, torch.cat([torch.logspace(0, -2.2, 150) * start, torch.zeros(1)]))
        simple = ended(stock, torch.cat([start, stock.sigmas[1:]]))
        assert float((ended(ours) - reference).norm()) < 0.7 * float((simple - reference).norm()), kind


def test_a_whole_run_with_it_is_said():
    model = model_of("eps")
    on = applied(model, fitted(model, name="partly", denoise=0.4).preset)
    with Messages() as said:
        ended(sampler_of(on, "sigmasmith_optimal", 5, 1.0))
    assert len(said) == 1, said
    assert "Fitted for changing images at denoise 0.4" in said[0]


def test_the_fit_starts_from_the_images_of_the_latent_where_there_are_some():
    fitting, calls = part("nodes.fit.work"), []
    for samples in (torch.full((1, 4, 8, 8), 0.0609), images(2)):  # some models' empty latent is not 0
        model = model_of("eps")
        request = fitting.FitRequest(
            guider=guider_of(model), latent={"samples": samples}, **fit_inputs(name="from_images", denoise=0.5)
        )
        report = fitting.fit(request).report
        assert ("started from the images of the latent" in report) == (len(samples) == 2)
        calls.append(model.model.diffusion_model.calls)
    assert calls[1] <= calls[0] - 24, calls  # the teacher that would have made them


def test_a_schedule_of_another_pack_that_knows_few_step_counts_is_left_out():
    def odd(_, steps):
        assert steps == 5, "this pack knows 5 steps only"
        return torch.linspace(14.0, 0.0, 6)

    comfy.samplers.SCHEDULER_HANDLERS["odd_pack"] = comfy.samplers.SchedulerHandler(odd)
    comfy.samplers.SCHEDULER_NAMES.append("odd_pack")
    try:
        for denoise in (1.0, 0.5):
            errors = fitted(model_of("eps"), name="odd", denoise=denoise, effort="balanced").preset.errors
            assert ("odd_pack" in errors[5 if denoise == 1.0 else 10]) == (denoise == 1.0)
    finally:
        comfy.samplers.SCHEDULER_NAMES.remove("odd_pack")
        del comfy.samplers.SCHEDULER_HANDLERS["odd_pack"]


def test_a_preset_for_another_denoise_is_refused_by_name():
    model = model_of("eps")
    fitted(model, name="of_half", denoise=0.5)
    said = raises(ValueError, fitted, model, name="of_half", refit=False)
    assert "It is for denoise 0.5, not 1." in said
    model.model.diffusion_model.calls = 0
    again = fitted(model, name="of_half", refit=False, denoise=0.5)
    assert model.model.diffusion_model.calls == 0
    assert "5 steps" in again.report


def test_a_second_model_or_the_fitted_sampler_is_refused_below_denoise_1():
    model = model_of("flow")
    assert raises(ValueError, fitted, model, low=model_of("flow"), denoise=0.5).startswith("denoise:")
    assert raises(ValueError, fitted, model, sampler_name="sigmasmith_multistep", denoise=0.5).startswith("denoise:")
    assert "denoise" in raises(ValueError, fitted, model, denoise=0.0)
