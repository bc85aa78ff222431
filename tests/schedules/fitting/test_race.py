"""The race for the family's place on a model: within its calls, recorded in the preset, never past what it is for."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from sigmasmith.schedules import family_schedule
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.family.place import FamilyPlace
from sigmasmith.schedules.family.run import FamilyCoefficients
from sigmasmith.schedules.family.schedule import FamilySchedule
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.report import FITTED
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import NAME
from torch import Tensor

from .fits import VE, Counted, mixture, normal, range_of, small_fit


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("sampler", [NAME, "dpmpp_2m"])
@pytest.mark.parametrize("steps", [3, 5, 8, 10])
def test_quick_takes_at_most_100_and_70_model_calls_a_step_in_all(steps, sampler, flow):
    model = Counted(mixture(flow=flow))
    fit = small_fit(model, normal(16), sampler=sampler, steps=steps, effort="quick", flow=flow)
    assert model.rows <= 100 + 70 * steps
    assert fit.nfe == pytest.approx(model.rows / 6, rel=0.05)  # of the 16 noises it took six


@pytest.mark.slow
@pytest.mark.parametrize("effort", ["quick", "fast"])
@pytest.mark.parametrize("flow", [False, True])
def test_several_counts_together_take_one_and_a_half_times_the_dearest(flow, effort):
    model = Counted(mixture(flow=flow))
    small_fit(model, normal(16), sampler=NAME, steps=(5, 8, 10, 20), flow=flow, effort=effort)
    assert model.rows <= 1.5 * (100 + (70 if effort == "quick" else 120) * 20)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", [3, 5, 8, 10, 20])
def test_fast_takes_at_most_100_and_120_model_calls_a_step_in_all(steps, flow):
    model = Counted(mixture(flow=flow))
    fit = small_fit(model, normal(16), sampler=NAME, steps=steps, flow=flow)
    assert model.rows <= 100 + 120 * steps
    assert fit.calls == pytest.approx(model.rows, rel=0.01)


@pytest.mark.slow
def test_fast_moves_along_the_directions_and_ends_nearer_on_other_noise():
    fresh = normal(32, seed=7)
    reference = teacher_of_noise(fresh)
    errors = {}
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=10)
    usual = family_schedule(10, sigma_min=VE.sigma_min, sigma_max=VE.sigma_max)
    for name, known, sigmas in (("fit", fit, fit.schedules[10]), ("usual", usual, usual.sigmas)):
        ends = known.sampler_function()(mixture(), VE.sigma_max * fresh, sigmas)
        errors[name] = geometric_mean(sample_errors(ends, reference))
    assert len(fit.made.more["family"]["numbers"]) >= 6
    assert errors["fit"] < 0.95 * errors["usual"]


def test_a_quick_fit_is_the_family_at_the_place_that_it_tells():
    fit = quick_fit()
    own = family_at(fit)
    assert fit.report.rows[8].chosen == FITTED
    assert torch.equal(fit.schedules[8], own.sigmas)
    assert own.coefficients is not None
    assert torch.equal(fit.coefficients[8], own.coefficients)


def test_a_fast_fit_moves_every_step_and_tells_the_place_that_is_nearest():
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=8)
    own = family_at(fit)
    usual = family_schedule(8, sigma_min=VE.sigma_min, sigma_max=VE.sigma_max)
    assert fit.report.rows[8].chosen == FITTED
    assert "and every step a little besides" in str(fit.report)
    assert not torch.equal(fit.schedules[8], own.sigmas)
    nearest, other = (log_distance(fit.schedules[8], known.sigmas) for known in (own, usual))
    assert nearest < other


def test_a_fit_on_many_noises_moves_every_step_on_few_of_them_first_then_on_three_times_as_many():
    model = Counted(mixture())
    sizes: set[int] = set()

    def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
        sizes.add(len(x))
        return model(x, sigma)

    fit = small_fit(denoiser, normal(64), sampler=NAME, steps=8, calls=10_000)
    judges = fit.report.held_out
    search = fit.report.samples - judges
    assert {4, search // 3, search} <= sizes
    assert 0.7 * 10_000 <= model.rows <= 10_000
    assert fit.made.method == "family"


def family_at(fit: Calibration) -> FamilySchedule:
    """The family at 8 steps where a fit says that it lies."""
    known = fit.made.more["family"]
    return family_schedule(
        8,
        sigma_min=VE.sigma_min,
        sigma_max=VE.sigma_max,
        scale=known["scale"],
        stretch=known["stretch"],
        numbers=known.get("numbers", ()),
    )


def log_distance(one: Tensor, other: Tensor) -> float:
    """Root mean square difference of the logs of two lists' levels."""
    return float((one[:-1].log() - other[:-1].log()).square().mean().sqrt())


@pytest.mark.slow
def test_of_several_counts_that_near_8_tells_the_place_and_all_are_raced():
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=(5, 8, 10), effort="quick")
    known = fit.made.more["family"]
    limits = range_of(False)
    own = family_schedule(
        8,
        sigma_min=limits.sigma_min,
        sigma_max=limits.sigma_max,
        scale=known["scale"],
        stretch=known["stretch"],
        numbers=known.get("numbers", ()),
    )
    assert fit.report.rows[8].chosen == FITTED
    assert torch.equal(fit.schedules[8], own.sigmas)
    assert known.get("steps", 8) == 8
    assert set(fit.coefficients) == {5, 8, 10}


def test_a_preset_of_quick_holds_sigmas_and_coefficients_in_full_and_says_how_it_was_made():
    fit = quick_fit()
    assert fit.made.method == "family"
    known = fit.made.more["family"]
    assert set(known) - {"numbers", "steps"} == {"version", "scale", "stretch"}
    assert fit.report.rows[8].chosen == FITTED
    place = FamilyPlace.of_facts(known, flow=False)
    rows = FamilyCoefficients(range_of(False), place=place).rows(fit.schedules[8])
    assert rows is not None
    assert torch.equal(fit.coefficients[8], rows)


def test_quick_compares_three_host_schedules_at_most_and_names_the_others():
    fit = quick_fit()
    hosts = [name for name in fit.report.rows[8].errors if name != FITTED]
    assert 1 <= len(hosts) <= 3
    assert "simple" in hosts
    assert "best of those compared" in str(fit.report)


def test_guidance_reaches_the_coefficients():
    plain, guided = quick_fit(), quick_fit(guidance=4.0)
    assert not torch.equal(plain.coefficients[8], guided.coefficients[8])


@pytest.mark.slow
def test_a_refined_fit_starts_from_the_family_and_judges_it_too():
    """Refined beyond the race is what has a count that the family does not know."""
    fit = small_fit(mixture(), normal(12), sampler=NAME, steps=(5, 31), effort="balanced")
    assert "suits this model at scale" in str(fit.report)
    assert "family" in fit.report.rows[5].errors


@pytest.mark.slow
@pytest.mark.parametrize("noises", [6, 12])
def test_a_dear_effort_moves_every_step_pulled_to_what_models_have(noises):
    fit = small_fit(mixture(), normal(noises), sampler=NAME, steps=5, effort="balanced")
    assert fit.made.method == "family"
    assert fit.calls <= noises * EFFORTS["balanced"].limit((5,), coefficients=True)


@pytest.mark.slow
def test_a_count_that_the_family_does_not_know_is_refined_on_few_noises_too():
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=(8, 40), effort="balanced")
    assert fit.made.method == ""


@pytest.mark.slow
def test_quick_gives_the_familys_list_for_counts_without_coefficients_too():
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=(2, 8, 40), effort="quick")
    assert [len(fit.schedules[steps]) for steps in (2, 8, 40)] == [3, 9, 41]
    assert 8 in fit.coefficients
    assert not {2, 40} & set(fit.coefficients)
    assert "no time" not in str(fit.report)


def test_steps_that_the_family_does_not_know_are_fitted_as_ever():
    fit = small_fit(mixture(), normal(6), sampler=NAME, steps=2, effort="quick")
    assert len(fit.schedules[2]) == 3
    assert "suits this model" not in str(fit.report)


@cache
def quick_fit(guidance: float = 1.0) -> Calibration:
    """The race at 8 steps."""
    return small_fit(mixture(), normal(6), sampler=NAME, steps=8, effort="quick", guidance=guidance)


def teacher_of_noise(noise):
    return own_sampler("heun")(
        mixture(), VE.sigma_max * noise.double(), finish_sigmas(teacher_sigmas(200, VE)).double()
    )
