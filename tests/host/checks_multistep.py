"""The fitted multistep sampler on the host's own KSampler path.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.samplers
import torch
from loaded_pack import KINDS, Messages, applied, model_of, part, preset_for, prompt, sampled
from torch import Tensor

NAME = "sigmasmith_multistep"
STEPS = 6


def with_coefficients(model: Any) -> Any:
    """The model with a preset whose coefficients differ from every stock sampler's, the last step's too."""
    preset = preset_for(model, sampler=NAME, counts=(STEPS,))
    coefficients = part("schedules.samplers.parameters")
    sigmas = preset.schedules[STEPS]
    theta = coefficients.dpmpp_2m_parameters(sigmas, 3) + 0.05 * coefficients.allowed(STEPS, 3)
    return applied(model, replace(preset, coefficients={STEPS: coefficients.coefficients_of(theta, sigmas)}))


def masked(model: Any, start: Tensor, mask: Tensor) -> Tensor:
    k = comfy.samplers.KSampler(model, STEPS, torch.device("cpu"), NAME, "sigmasmith_optimal", 1.0, model.model_options)
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(5))
    return k.sample(noise, prompt(0.5), prompt(0.0), 3.0, start, denoise_mask=mask, disable_pbar=True, seed=5)


def late(model: Any, sampler: str) -> Tensor:
    """The end of a run from step 2, as an advanced KSampler makes it."""
    options = model.model_options
    k = comfy.samplers.KSampler(model, STEPS, torch.device("cpu"), sampler, "sigmasmith_optimal", 1.0, options)
    start = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    return k.sample(start, prompt(0.5), prompt(0.0), 3.0, 0.3 * start, start_step=2, disable_pbar=True, seed=3)


def test_the_dropdown_runs_the_coefficients_of_the_models_preset():
    for kind in KINDS:
        model = with_coefficients(model_of(kind))
        with Messages() as texts:
            ours = sampled(model, NAME, "sigmasmith_optimal", steps=STEPS)
        assert texts == [], texts
        assert not torch.allclose(ours, sampled(model, "dpmpp_2m", "sigmasmith_optimal", steps=STEPS), atol=1e-3)


def test_other_step_counts_run_as_the_hosts_own_dpmpp_2m_bit_for_bit():
    for kind in KINDS:
        model = with_coefficients(model_of(kind))
        with Messages() as texts:
            ours = sampled(model, NAME, "sigmasmith_optimal", steps=STEPS + 1)
        assert any("runs as dpmpp_2m" in text for text in texts), texts
        assert torch.equal(ours, sampled(model, "dpmpp_2m", "sigmasmith_optimal", steps=STEPS + 1)), kind


def test_a_run_that_starts_late_on_the_presets_list_runs_what_is_left_of_its_coefficients():
    for kind in KINDS:
        model = with_coefficients(model_of(kind))
        with Messages() as texts:
            ours = late(model, NAME)
        assert texts == [], texts
        assert torch.isfinite(ours).all()
        assert not torch.allclose(ours, late(model, "dpmpp_2m"), atol=1e-4), kind


def test_an_inpaint_mask_keeps_what_it_covers_with_fitted_coefficients():
    for kind in KINDS:
        model = with_coefficients(model_of(kind))
        start = 0.3 * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        mask = torch.zeros(1, 1, 8, 8)
        mask[..., 4:] = 1.0
        out = masked(model, start, mask)
        assert torch.allclose(out[..., :4], start[..., :4], atol=1e-5), kind
        assert not torch.allclose(out[..., 4:], start[..., 4:], atol=1e-2), kind
