"""Compare through the host's own guider: targets, samplers that draw noise, connected schedules, runs that break down.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from loaded_pack import KINDS, applied, guider_of, latent, model_of, part, preset_for, raises
from torch import Tensor


def compared(model: Any, **changed: Any) -> Any:
    """The numbers of a comparison."""
    inputs: dict[str, Any] = {
        "guider": guider_of(model),
        "latent": latent(),
        "schedules": "simple, karras",
        "samplers": "dpmpp_2m",
        "steps": "6",
        "seeds": 4,
        "first_seed": 5,
        "reference_steps": 100,
    }
    comparing = part("nodes.compare.work")
    return comparing.compare(comparing.CompareRequest(**(inputs | changed)))


def said(result: Any) -> str:
    return part("schedules.comparison.text").report_text(result.comparison)


def sigmas_of(model: Any, name: str, steps: int) -> Tensor:
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), name, steps)


def test_linked_inputs_are_not_refused_before_they_are_known():
    node = part("nodes.compare.node").SigmasmithCompare
    assert node.validate_inputs(samplers=None, steps=None) is True
    assert "samplers" in node.validate_inputs(samplers="eulr", steps=None)
    assert "steps" in node.validate_inputs(samplers=None, steps="ten")


def test_errors_fall_with_the_steps_for_every_prediction_type():
    for kind in KINDS:
        found = compared(model_of(kind), samplers="euler, heun", steps="5, 20, 80", schedules="karras").comparison
        assert all(target.converged for target in found.targets.values()), kind
        errors = {(cell.sampler, cell.steps): cell.error for cell in found.cells}
        for sampler in ("euler", "heun"):
            assert errors[sampler, 80] < 0.5 * errors[sampler, 20] < 0.5 * errors[sampler, 5], (kind, sampler, errors)
        calls = {(cell.sampler, cell.steps): cell.calls for cell in found.cells}
        assert calls["euler", 5] == 5
        assert calls["heun", 5] == 9  # the last step, to 0, needs one call


def test_a_cell_ends_where_the_hosts_own_run_ends():
    model = model_of("eps")
    result = compared(model, schedules="beta", samplers="dpmpp_2m", seeds=2)
    noise = part("nodes.host.runs").noise_rows((2, 4, 8, 8), 5)
    sampler = comfy.samplers.sampler_object("dpmpp_2m")
    theirs = guider_of(model).sample(noise, torch.zeros(2, 4, 8, 8), sampler, sigmas_of(model, "beta", 6), seed=5)
    (ends,) = result.ends.values()
    assert torch.allclose(ends, theirs, atol=1e-5)


def test_samplers_that_drop_the_penultimate_sigma_run_as_the_ksampler_runs_them():
    model = model_of("eps")
    k = comfy.samplers.KSampler(model, 6, torch.device("cpu"), "dpm_2", "karras", 1.0)
    choice = part("nodes.compare.grid").Choice("karras")
    made = part("nodes.compare.runners").chosen_schedule(model, choice, 6, True)
    assert torch.allclose(made, k.sigmas)


def test_the_dropdowns_untuned_list_is_that_of_the_sampler_that_runs_it():
    model, names = model_of("flow"), ("dpmpp_2m", "sigmasmith_multistep")
    choices = [part("nodes.compare.grid").Choice(name) for name in ("sigmasmith_optimal", "simple")]
    for sampler, alike in zip(names, (True, False)):
        ours, simple = (
            part("nodes.compare.runners").chosen_schedule(model, choice, 6, False, sampler) for choice in choices
        )
        assert torch.allclose(ours, simple, atol=2e-3) is alike


def test_samplers_that_draw_noise_are_measured_from_themselves():
    found = compared(model_of("eps"), samplers="euler, dpmpp_sde", steps="6, 48", schedules="karras").comparison
    assert len(found.targets) == 2
    errors = {(cell.sampler, cell.steps): cell.error for cell in found.cells}
    assert errors["dpmpp_sde", 48] < 0.5 * errors["dpmpp_sde", 6], errors
    assert {verdict.leader.sampler for verdict in found.verdicts()} <= {"euler", "dpmpp_sde"}


def test_connected_sigmas_samplers_and_presets_are_cells():
    model = model_of("flow")
    heun = comfy.samplers.sampler_object("heun")
    result = compared(
        model,
        steps="",
        samplers="euler",
        given_sigmas={"sigmas_2": sigmas_of(model, "normal", 7)},
        given_samplers={"sampler_1": heun},
        preset=preset_for(model, counts=(7,)),
    )
    labels = {(cell.sampler, cell.schedule, cell.steps) for cell in result.comparison.cells}
    preset = part("nodes.compare.work").preset_label(preset_for(model, counts=(7,)))
    for sampler in ("euler", "sampler_1"):
        assert {(sampler, name, 7) for name in ("simple", "karras", preset, "sigmas_2")} <= labels
    assert result.comparison.own >= {preset, "sigmas_2"}
    assert preset in said(result)


def test_a_preset_that_does_not_suit_the_model_is_refused_or_said():
    other = preset_for(model_of("eps"))
    text = raises(ValueError, compared, model_of("flow"), preset=other)
    assert text.startswith("preset: "), text
    model = model_of("eps")
    assert "guidance" not in said(compared(model, preset=preset_for(model)))
    assert "guidance" in said(compared(model, preset=preset_for(model), guider=guider_of(model, cfg=7.0)))


def test_the_preset_on_the_model_is_compared_under_its_dropdown_name():
    model = model_of("eps")
    on = applied(model, preset_for(model))
    found = compared(on, schedules="karras, sigmasmith_optimal")
    one, other = found.comparison.cells
    assert torch.allclose(one.errors, other.errors, rtol=1e-3)  # that preset holds the host's karras
    assert "no gain shown" in said(found)
    assert "ran untuned" not in said(found)
    assert "ran untuned" in said(compared(model, schedules="karras, sigmasmith_optimal"))


def test_a_connected_preset_is_compared_with_its_coefficients():
    multistep, karras = "sigmasmith_multistep", karras_preset()
    # Coefficients of Euler steps: what runs without them, DPM++ 2M, ends elsewhere.
    ratio = karras.schedules[6][1:] / karras.schedules[6][:-1]
    rows = torch.zeros(6, 5)
    rows[:, 0], rows[:, 1] = ratio, 1.0 - ratio
    preset = replace(karras, sampler=multistep, coefficients={6: rows})
    cells = compared(
        model_of("eps"), preset=preset, samplers=f"euler, {multistep}", schedules="karras"
    ).comparison.cells
    errors = {(cell.sampler, cell.schedule): cell.errors for cell in cells}
    label = part("nodes.compare.work").preset_label(preset)
    assert torch.allclose(errors[multistep, label], errors["euler", "karras"], rtol=1e-3)
    assert not torch.allclose(errors[multistep, "karras"], errors["euler", "karras"], rtol=1e-2)


def karras_preset() -> Any:
    model = model_of("eps")
    return replace(preset_for(model, counts=(6,)), schedules={6: sigmas_of(model, "karras", 6).float()})


def test_a_reference_that_does_not_converge_decides_nothing():
    model = model_of("eps")
    network = model.model.diffusion_model

    def jumping(x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        return torch.sin(1e3 * torch.log(sigma)) * torch.ones_like(x) + torch.sin(50.0 * x)

    network.denoised = jumping
    result = compared(model)
    assert "has not converged" in said(result)
    assert list(result.comparison.verdicts()) == []


def test_a_run_that_breaks_down_is_a_result_and_not_the_end():
    model = model_of("eps")
    broken = comfy.samplers.KSAMPLER(lambda model, x, sigmas, **_: x * float("nan"))
    found = compared(model, given_samplers={"sampler_2": broken}).comparison
    assert [bool(cell.failed) for cell in found.cells] == [False, False, True, True]


def test_noise_that_cannot_be_given_is_said():
    def drawing(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, **_: Any) -> Tensor:
        return torch.randn(x.shape, generator=torch.Generator().manual_seed(extra_args["seed"]))

    noisy = comfy.samplers.KSAMPLER(drawing)
    assert "sampler_1 draws noise" in said(compared(model_of("eps"), given_samplers={"sampler_1": noisy}))
    heun = comfy.samplers.sampler_object("heun")
    assert "draws noise" not in said(compared(model_of("eps"), given_samplers={"sampler_1": heun}))


def test_bad_input_names_itself_before_the_first_model_call():
    model = model_of("eps")
    model.model.diffusion_model.calls = 0
    cases: list[tuple[dict[str, Any], str]] = [
        ({"schedules": "simpel"}, "schedules: "),
        ({"schedules": ""}, "schedules is empty"),
        ({"samplers": ""}, "samplers is empty"),
        ({"samplers": "eulr"}, "samplers: "),
        ({"samplers": "dpm_adaptive"}, "samplers: dpm_adaptive"),
        ({"steps": "0"}, "steps: "),
        ({"steps": ""}, "steps is empty"),
        ({"given_sigmas": {"sigmas_1": torch.tensor([3.0, 1.0])}}, "sigmas_1"),
        ({"given_samplers": {"sampler_1": object()}}, "sampler_1"),
        (
            {"steps": "1 2 3 4 5 6 7 8 9 10", "schedules": "karras rho: " + ",".join(map(str, range(1, 31)))},
            "schedules",
        ),
    ]
    for changed, start in cases:
        text = raises(ValueError, compared, model, **changed)
        assert text.startswith(start), text
    assert model.model.diffusion_model.calls == 0


def test_an_interrupt_stops_a_comparison_before_the_next_model_call():
    model = model_of("eps")
    network = model.model.diffusion_model
    forward = network.forward

    def pressed(*given: Any, **kwargs: Any) -> Tensor:
        comfy.model_management.interrupt_current_processing(True)
        return forward(*given, **kwargs)

    network.forward = pressed
    network.calls = 0
    raises(comfy.model_management.InterruptProcessingException, compared, model)
    assert network.calls == 1


def test_video_latents_are_compared():
    found = compared(model_of("flow", video=True), latent=latent(1, 4, 3, 8, 8)).comparison
    assert all(len(cell.errors) == 4 for cell in found.cells)
