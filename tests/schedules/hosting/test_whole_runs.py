"""What a preset gives for whole runs at counts that it was not fitted for."""

from typing import Any

import pytest
import torch
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.family.place import FamilyPlace
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.whole_runs import preset_coefficients, preset_run
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.samplers.fitted import FirstKnown

FLOW = ModelIdentity(sigma_min=0.001, sigma_max=1.0, flow=True)
SD = ModelIdentity(sigma_min=0.0292, sigma_max=14.6146, flow=False)


def preset(model: ModelIdentity = FLOW, sampler: str = "dpmpp_2m", **facts: Any) -> Preset:
    sigmas = torch.linspace(1.0, 0.05, 10) if model.flow else torch.logspace(1.1648, -1.0, 10)
    sigmas = sigmas.double().numpy()
    sigmas[0] = model.sigma_max
    errors = {10: {"fitted": 0.01, "beta": 0.02, "simple": 0.03}}
    return Preset(schedules={10: finish_sigmas(sigmas)}, model=model, sampler=sampler, errors=errors, **facts)


def test_a_fitted_count_is_the_preset_s_own_list():
    sigmas, said = preset_run(preset(), 10)
    assert torch.equal(sigmas, preset().schedules[10])
    assert said == ""


@pytest.mark.parametrize("steps", [4, 8, 20, 30])
def test_the_family_s_numbers_serve_counts_that_were_not_fitted(steps: int):
    facts = {"family": {"version": 1, "scale": 2.0, "stretch": 1.1}}
    known = preset(sampler="sigmasmith_multistep", made=HowMade(more=facts))
    sigmas, said = preset_run(known, steps)
    expected = family_schedule(steps, sigma_min=0.001, sigma_max=1.0, flow=True, scale=2.0, stretch=1.1).sigmas
    assert torch.equal(sigmas, expected)
    assert "family" in said


@pytest.mark.parametrize("steps", [4, 20])
def test_a_place_with_numbers_serves_other_counts_with_its_own_coefficients(steps: int):
    numbers = [0.7, -0.4]
    facts = {"family": {"version": 1, "scale": 2.0, "stretch": 1.1, "numbers": numbers, "steps": 9}}
    known = preset(sampler="sigmasmith_multistep", guidance=3.0, made=HowMade(more=facts))
    limits = FLOW.sigma_range
    expected = family_schedule(
        steps,
        sigma_min=limits.sigma_min,
        sigma_max=limits.sigma_max,
        flow=True,
        guidance=3.0,
        scale=2.0,
        stretch=1.1,
        numbers=FamilyPlace(1, 0.0, 1.0, tuple(numbers), 9).at_steps(steps).numbers,
    )
    sigmas, _ = preset_run(known, steps)
    assert torch.equal(sigmas, expected.sigmas)
    rows = FirstKnown(preset_coefficients(known, 3.0)).rows(sigmas)
    assert rows is not None
    assert expected.coefficients is not None
    assert torch.equal(rows, expected.coefficients)


def test_a_preset_without_a_place_has_its_own_coefficients_alone():
    assert len(preset_coefficients(preset(sampler="sigmasmith_multistep"), 1.0)) == 1


def test_a_run_from_the_middle_of_a_raced_list_has_coefficients_at_its_own_guidance():
    facts = {"family": {"version": 1, "scale": 2.0, "stretch": 1.1}}
    known = preset(sampler="sigmasmith_multistep", guidance=3.0, made=HowMade(more=facts))
    sigmas, _ = preset_run(known, 14)
    low, high = (FirstKnown(preset_coefficients(known, guidance)).rows(sigmas[6:]) for guidance in (3.0, 6.0))
    assert low is not None
    assert high is not None
    assert low.shape == (8, 5)
    assert not torch.equal(low, high)


@pytest.mark.parametrize("steps", [4, 20])
def test_far_from_the_fitted_counts_of_a_flow_model_the_best_host_schedule_runs(steps: int):
    sigmas, said = preset_run(preset(), steps)
    assert torch.equal(sigmas, host_schedules(FLOW.sigma_range)["beta"](steps))
    assert "beta" in said
    assert "too far" in said


@pytest.mark.parametrize("steps", [4, 9, 11, 20])
def test_noise_predictions_are_extended(steps: int):
    known = preset(SD)
    sigmas, said = preset_run(known, steps)
    assert torch.equal(sigmas, known.sigmas(steps))
    assert said == ""


@pytest.mark.parametrize("model", [FLOW, SD])
@pytest.mark.parametrize("steps", [9, 25])
def test_where_the_host_s_schedule_won_it_goes_on(model: ModelIdentity, steps: int):
    sigmas, said = preset_run(preset(model, origin={10: "simple"}), steps)
    assert torch.equal(sigmas, host_schedules(model.sigma_range)["simple"](steps))
    assert "no fit was better" in said


def test_a_list_that_was_never_compared_keeps_its_shape():
    known = Preset(schedules={10: preset().schedules[10]}, model=FLOW, sampler="euler")
    sigmas, said = preset_run(known, 25)
    assert torch.equal(sigmas, known.sigmas(25))
    assert said == ""


@pytest.mark.parametrize(("steps", "denoise"), [(4, 0.5), (5, 0.5), (10, 0.5), (7, 0.35), (12, 0.8)])
def test_below_denoise_1_the_end_of_the_list_runs_that_a_whole_run_has(steps: int, denoise: float):
    full = int(steps / denoise)
    sigmas, said = preset_run(preset(), steps, denoise)
    whole, said_of_whole = preset_run(preset(), full)
    assert torch.equal(sigmas, whole[-(steps + 1) :])
    assert said == said_of_whole


def test_where_a_run_starts_at_a_noise_level_the_preset_answers():
    sigmas, _ = preset_run(preset(), 7, 0.5, "noise_level")
    assert torch.equal(sigmas, preset().sigmas(7, 0.5, "noise_level"))


@pytest.mark.parametrize(
    "told",
    [
        {"version": 1},
        {"version": 1, "scale": 1e9, "stretch": 1.0},
        {"version": 1, "scale": "a", "stretch": 1.0},
        {"version": 1, "scale": 1.0, "stretch": 1.0, "numbers": ["a"]},
        {"version": 1, "scale": 1.0, "stretch": 1.0, "numbers": [0.1] * 9},
        {"version": 1, "scale": 1.0, "stretch": 1.0, "numbers": 3},
        {"version": 1, "scale": 1.0, "stretch": 1.0, "numbers": [0.1], "steps": "x"},
    ],
)
def test_a_place_that_makes_no_sense_stops_no_run(told: dict[str, Any]):
    known = preset(SD, sampler="sigmasmith_multistep", made=HowMade(more={"family": told}))
    sigmas, said = preset_run(known, 12)
    assert torch.equal(sigmas, known.sigmas(12))
    assert said == ""
