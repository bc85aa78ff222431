"""Two models in turn through the host's guiders: as two KSamplers (Advanced) run them, never mixed, never a wrong word.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import re
from typing import Any

import comfy.latent_formats
import comfy.sample
import comfy.samplers
import comfy_extras.nodes_model_advanced
import torch
from loaded_pack import (
    Messages,
    applied,
    end_of,
    fitted,
    latent,
    model_of,
    part,
    prompt,
    raises,
    runs_of,
)
from torch import Tensor

BOUNDARY = {"flow": 0.875, "eps": 3.0}


class OtherFormat(comfy.latent_formats.LatentFormat):
    """A latent space of another kind than analytic_models'."""


def pair_of(kind: str = "flow") -> tuple[Any, Any]:
    """Two models of one kind with other weights."""
    high, low = model_of(kind), model_of(kind)
    low.model.diffusion_model.weight.data.mul_(1.2)
    return high, low


def expert_runs(high: Any, low: Any, boundary: float, **options: Any) -> Any:
    return part("nodes.host.experts").ExpertRuns(runs_of(high, **options), runs_of(low, **options), boundary)


def as_advanced(
    model: Any, latents: Tensor, noise: Tensor, sampler: str, sigmas: Tensor, first: int, last: int
) -> Tensor:
    """What the host's KSamplerAdvanced does from step `first` to step `last`."""
    added = first == 0
    return comfy.sample.sample(
        model, noise if added else torch.zeros_like(noise), len(sigmas) - 1, 3.0, sampler, "simple",
        prompt(0.5), prompt(0.0), latents, disable_noise=not added, start_step=first, last_step=last,
        force_full_denoise=False, sigmas=sigmas, disable_pbar=True, seed=7,
    )  # fmt: skip


def test_a_run_gives_what_two_advanced_ksamplers_give():
    for kind in ("flow", "eps"):
        for sampler in ("euler", "dpmpp_2m", "heun"):
            high, low = pair_of(kind)
            runs = expert_runs(high, low, BOUNDARY[kind])
            ours = end_of(runs, sampler, steps=8)
            sigmas = comfy.samplers.calculate_sigmas(high.get_model_object("model_sampling"), "karras", 8)
            switch = part("schedules.fitting.experts").steps_above(sigmas, BOUNDARY[kind])
            assert 0 < switch < 8
            half = as_advanced(high, latent(4, 4, 8, 8)["samples"], runs.noise, sampler, sigmas, 0, switch)
            theirs = as_advanced(low, half, runs.noise, sampler, sigmas, switch, 10_000)
            assert torch.equal(ours.cpu(), theirs.cpu()), (kind, sampler)
            assert runs.turns == 2


def test_the_first_model_is_left_alone_where_its_part_of_a_run_is_known():
    run = part("schedules.fitting.rollouts")._StudentRun
    known, found = run.known, []
    for answer in (lambda *_: None, known):
        high, low = pair_of()
        run.known = answer
        try:
            found.append(fitted(high, low=low, name="known", steps="20"))
        finally:
            run.known = known
    without, with_it = (int(re.findall(r"took turns (\d+) times", result.report)[0]) for result in found)
    assert with_it < 0.8 * without
    assert torch.equal(*(result.preset.sigmas(20) for result in found))


def test_no_model_is_called_on_the_others_side():
    high, low = pair_of()
    asked: dict[str, list[float]] = {"high": [], "low": []}
    for name, model in (("high", high), ("low", low)):
        network = model.model.diffusion_model

        def forward(
            *given: Any, seen: list[float] = asked[name], answer: Any = network.forward, **kwargs: Any
        ) -> Tensor:
            seen.append(float(kwargs["transformer_options"]["sigmas"][0]))
            return answer(*given, **kwargs)

        network.forward = forward
    fitted(high, low=low, name="sides", steps="4")
    assert min(asked["high"]) >= 0.875 > max(asked["low"])


def test_the_report_names_the_step_to_switch_after_and_the_preset_keeps_it():
    high, low = pair_of()
    result = fitted(high, low=low, name="pair", steps="4, 8", boundary=0.8)
    preset, experts = result.preset, part("schedules.fitting.experts")
    for count in (4, 8):
        switch = experts.steps_above(preset.schedules[count], 0.8)
        said = f"At {count} steps switch to the second model after step {switch} of {count}"
        assert said in result.report
        assert said in preset.notes
    assert "took turns" in result.report
    assert "both models" in result.report
    again = fitted(high, low=low, name="pair", steps="8", boundary=0.8, refit=False)
    assert "no model call" in again.report
    assert "At 8 steps switch" in again.report


def test_the_preset_serves_both_models_without_a_warning():
    high, low = pair_of()
    low.add_patches({"diffusion_model.weight": (torch.full((4, 4), 0.1),)}, 0.5)
    preset = fitted(high, low=low, name="both", steps="6").preset
    assert preset.model.patches is None
    sigmas = preset.sigmas(6)
    assert preset.made.boundary is not None
    switch = part("schedules.fitting.experts").steps_above(sigmas, preset.made.boundary)
    with Messages() as said:
        half = latent()["samples"]
        for model, start, end in ((high, 0, switch), (low, switch, 6)):
            k = comfy.samplers.KSampler(
                applied(model, preset), 6, torch.device("cpu"), "dpmpp_2m", "sigmasmith_optimal", 1.0
            )
            assert torch.equal(k.sigmas[1:], sigmas[1:])
            half = k.sample(
                torch.randn(half.shape), prompt(0.5), prompt(0.0), 3.0, half, start_step=start, last_step=end,
                disable_pbar=True, seed=5,
            )  # fmt: skip
    assert not said, said


def test_another_guidance_for_the_second_model_is_used_and_not_recorded_as_the_firsts():
    high, low = pair_of()
    same, other = (fitted(high, low=low, name=f"cfg_{cfg}", steps="4", low_cfg=cfg).preset for cfg in (3.0, 1.0))
    assert same.guidance == 3.0
    assert other.guidance is None
    assert not torch.equal(same.sigmas(4), other.sigmas(4))


def test_models_that_cannot_follow_each_other_are_told_apart():
    high, low = pair_of()
    (shifted,) = comfy_extras.nodes_model_advanced.ModelSamplingSD3().patch(low, 5.0)
    said = raises(ValueError, fitted, high, low=shifted, name="apart", steps="4")
    assert said.startswith("model_low:")
    assert "shift 3 and 5" in said
    assert raises(ValueError, fitted, high, low=model_of("eps"), name="apart").startswith("model_low:")
    assert raises(ValueError, fitted, high, low=low, low_input="guider_low", name="apart", boundary=1e-9).startswith(
        "boundary:"
    )
    low.model.latent_format = OtherFormat()
    assert "OtherFormat" in raises(ValueError, fitted, high, low=low, name="apart", steps="4")


def test_a_preset_for_two_models_is_not_taken_for_one_or_for_another_boundary():
    high, low = pair_of()
    fitted(high, low=low, name="two", steps="4")
    fitted(high, name="one", steps="4")
    assert "model_low is not connected" in raises(ValueError, fitted, high, name="two", steps="4", refit=False)
    # Whoever rewrites the notes, what the preset is for stays known.
    two = part("nodes.presets.store").load("two", "")
    part("nodes.presets.store").save_as(two, "two", "", "", "my own words", overwrite=True)
    assert "model_low is not connected" in raises(ValueError, fitted, high, name="two", steps="4", refit=False)
    said = raises(ValueError, fitted, high, low=low, name="two", steps="4", refit=False, boundary=0.7)
    assert "0.875" in said
    assert "0.7" in said
    said = raises(ValueError, fitted, high, low=low, name="one", steps="4", refit=False)
    assert "one model alone" in said
    assert "refit" in said


def test_a_boundary_is_a_share_of_noise_on_noise_prediction_models_too():
    high, low = pair_of("eps")
    result = fitted(high, low=low, name="eps_pair", steps="6", boundary=0.7)
    sigma = part("nodes.host.subject").boundary_sigma(part("nodes.host.identity").model_identity(high), 0.7)
    assert 1.5 < sigma < 3.0  # 70 % noise: sigma / (1 + sigma), relative to sigma_max
    assert f"from sigma {sigma:.4g} upwards" in result.preset.notes


def test_fitted_coefficients_are_for_one_model():
    high, low = pair_of()
    said = raises(ValueError, fitted, high, low=low, name="coefficients", sampler_name="sigmasmith_multistep")
    assert said.startswith("sampler_name:")
    assert "model_low" in said
