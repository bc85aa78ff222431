"""The family recognises its own lists, and no others."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.family import learned
from sigmasmith.schedules.family.learned import ORDER
from sigmasmith.schedules.family.place import FamilyPlace
from sigmasmith.schedules.family.run import FamilyCoefficients
from sigmasmith.schedules.family.schedule import MOST_STEPS, family_schedule
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.samplers.fitted import sample_sigmasmith_multistep
from sigmasmith.schedules.samplers.loop import sample_linear
from sigmasmith.schedules.samplers.parameters import (
    AFFINE,
    allowed,
    coefficients_of,
    dpmpp_2m_parameters,
    parameters_of,
)

RANGES = [SigmaRange(0.0292, 14.6146), SigmaRange(0.002, 80.0), SigmaRange(0.003, 1.0, flow=True)]


def made(steps, limits, **options):
    return family_schedule(steps, sigma_min=limits.sigma_min, sigma_max=limits.sigma_max, flow=limits.flow, **options)


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("scale", [0.5, None, 4.0])
@pytest.mark.parametrize("stretch", [0.7, None, 1.5])
@pytest.mark.parametrize("steps", [3, 4, 5, 9, 13, 20, 21, 27, 30])
def test_a_list_of_the_family_runs_its_coefficients_whatever_scale_and_stretch(steps, limits, scale, stretch):
    schedule = made(steps, limits, scale=scale, stretch=stretch, guidance=3.0)
    rows = FamilyCoefficients(limits, 3.0).rows(schedule.sigmas)
    assert rows is not None
    assert schedule.coefficients is not None
    assert torch.equal(rows, schedule.coefficients)


@pytest.mark.parametrize("scale", [None, 4.0])
@pytest.mark.parametrize("limits", [RANGES[0], RANGES[2]])
def test_a_list_that_was_printed_with_five_digits_is_still_the_familys(limits, scale):
    schedule = made(6, limits, scale=scale)
    printed = torch.tensor([float(f"{sigma:.5g}") for sigma in schedule.sigmas.tolist()])
    rows = FamilyCoefficients(limits).rows(printed)
    assert rows is not None
    assert schedule.coefficients is not None
    assert torch.equal(rows, schedule.coefficients)


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [3, 4, 5, 8, 12, 20, 25])
@pytest.mark.slow
def test_no_schedule_of_a_host_is_taken_for_the_familys(steps, limits):
    source = FamilyCoefficients(limits)
    for name, schedule in host_schedules(limits).items():
        assert source.rows(schedule(steps)) is None, name


@pytest.mark.slow
def test_three_random_steps_are_hardly_ever_taken_for_the_familys():
    draw = np.random.default_rng(0)
    source, taken = FamilyCoefficients(RANGES[0]), 0
    for _ in range(500):
        inner = np.sort(np.exp(draw.uniform(np.log(0.1), np.log(10.0), 2)))[::-1]
        taken += source.rows(finish_sigmas([14.6146, *inner])) is not None
    assert taken <= 5


@pytest.fixture
def two_versions(tmp_path, monkeypatch):
    """This Sigmasmith with a second family, whose levels lie closer."""
    content = json.loads((learned._FOLDER / "family_1.json").read_text("utf-8"))
    (tmp_path / "family_1.json").write_text(json.dumps(content), "utf-8")
    for space in content["spaces"].values():
        for known in space.values():
            known["levels"] = [0.5 * level * abs(level) for level in known["levels"]]
    (tmp_path / "family_2.json").write_text(json.dumps(content | {"version": 2}), "utf-8")
    monkeypatch.setattr(learned, "_FOLDER", tmp_path)
    for cached in (learned.load_family, learned.known_versions):
        cached.cache_clear()
    yield
    for cached in (learned.load_family, learned.known_versions):
        cached.cache_clear()


@pytest.mark.parametrize("limits", RANGES)
def test_lists_of_an_older_version_run_its_coefficients_beside_a_newer_one(two_versions, limits):
    old, new = (made(8, limits, version=version, guidance=3.0) for version in (1, 2))
    assert not torch.equal(old.sigmas, new.sigmas)
    for schedule in (old, new):
        rows = FamilyCoefficients(limits, 3.0).rows(schedule.sigmas)
        assert rows is not None
        assert schedule.coefficients is not None
        assert torch.equal(rows, schedule.coefficients)


def test_a_preset_of_an_older_version_keeps_it_at_counts_that_were_not_fitted(two_versions):
    place = FamilyPlace(1, 0.2, 1.0, (0.5,), steps=8)
    moved = made(8, RANGES[0], version=1, scale=place.scale, numbers=place.numbers)
    rows = FamilyCoefficients(RANGES[0], place=place).rows(moved.sigmas)
    assert rows is not None
    assert moved.coefficients is not None
    assert torch.equal(rows, moved.coefficients)


def test_the_curve_of_a_named_version_stays_when_a_newer_one_comes(two_versions):
    limits = RANGES[0].sigma_min, RANGES[0].sigma_max
    assert torch.equal(CURVES["family"](8, *limits, version=1), made(8, RANGES[0], version=1).sigmas)
    with pytest.raises(ValueError, match=r"whole number, got 1\.5"):
        CURVES["family"](8, *limits, version=1.5)
    with pytest.raises(ValueError, match="family version 3 is not in this Sigmasmith; it has 2, 1"):
        CURVES["family"](8, *limits, version=3)


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [3, 8, 13, 24, 30])
def test_a_run_that_stops_early_runs_the_first_steps_as_they_are(steps, limits):
    schedule = made(steps, limits, guidance=3.0)
    rows = FamilyCoefficients(limits, 3.0).rows(schedule.sigmas[: steps - 1])
    assert rows is not None
    assert schedule.coefficients is not None
    assert torch.equal(rows, schedule.coefficients[: steps - 2])


@pytest.mark.parametrize("place", [None, FamilyPlace(1, 0.35, 1.05, (0.6, -0.4), steps=8)])
@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [4, 8, 13, 24, 30])
def test_a_run_from_the_middle_leaves_out_what_counts_on_the_steps_before_it(steps, limits, place):
    found = () if place is None else place.at_steps(steps).numbers
    options = {} if place is None else {"scale": place.scale, "stretch": place.stretch, "numbers": found}
    schedule, first = made(steps, limits, guidance=3.0, **options), steps // 2
    rows = FamilyCoefficients(limits, 3.0, place=place).rows(schedule.sigmas[first:])
    assert rows is not None
    assert schedule.coefficients is not None
    whole, run = (parameters_of(each, schedule.sigmas[-len(each) - 1 :]) for each in (schedule.coefficients, rows))
    history = allowed(steps - first, ORDER)
    history[:, -AFFINE:] = False
    assert np.abs(run * ~history).max() < 1e-4
    # The step before the last is the first whose rule of DPM++ 2M sees the same two steps in both.
    assert np.allclose(run[2:] * history[2:], whole[first + 2 :] * history[2:], atol=2e-3)


@pytest.mark.parametrize("limits", RANGES)
def test_a_run_of_the_last_third_is_dpmpp_2m_but_for_what_the_step_to_0_weighs(limits):
    whole = made(20, limits)
    sigmas = whole.sigmas[14:]
    rows = FamilyCoefficients(limits).rows(sigmas)
    assert rows is not None
    assert whole.coefficients is not None
    assert torch.equal(rows[:-1], coefficients_of(dpmpp_2m_parameters(sigmas, ORDER), sigmas)[:-1])
    run, known = (parameters_of(each, sigmas)[-1] for each in (rows, whole.coefficients[14:]))
    assert np.allclose(run[:-AFFINE], known[:-AFFINE], atol=2e-3)
    assert np.abs(run[-AFFINE:]).max() < 1e-4


@pytest.mark.parametrize("changed", ["lower start", "another scale's end", "too many steps"])
def test_other_lists_have_no_coefficients_and_it_is_said(changed):
    sigmas = made(40 if changed == "too many steps" else 8, RANGES[0]).sigmas
    if changed == "another scale's end":
        sigmas = made(8, RANGES[0], scale=1.7).sigmas[3:]
    if changed == "lower start":
        sigmas = torch.cat([sigmas[:1] * 0.9, sigmas[1:]])
    source, said = FamilyCoefficients(RANGES[0]), []
    assert source.rows(sigmas) is None
    x = torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    sample_sigmasmith_multistep(lambda x, sigma: x * 0.5, x, sigmas, coefficients=source, warn=said.append)
    assert f"3 to {MOST_STEPS} steps" in said[0]


def test_a_run_by_sigmas_alone_equals_that_of_the_schedule():
    schedule = made(7, RANGES[2], guidance=2.0)
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    source = FamilyCoefficients(RANGES[2], 2.0)

    def model(x, sigma, **_):
        return torch.tanh(x) * 0.5

    end = sample_sigmasmith_multistep(model, x, schedule.sigmas, coefficients=source)
    assert schedule.coefficients is not None
    assert torch.equal(end, sample_linear(model, x, schedule.sigmas, coefficients=schedule.coefficients))


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [3, 9, 13, 21])
def test_a_moved_family_recognises_its_own_lists_and_only_with_its_numbers(steps, limits):
    numbers = (0.8, -0.6, 0.5)
    schedule = made(steps, limits, scale=1.5, stretch=1.1, guidance=3.0, numbers=numbers)
    assert schedule.numbers == numbers
    assert schedule.coefficients is not None
    rows = FamilyCoefficients(limits, 3.0, place=FamilyPlace(1, math.log(1.5), 1.1, numbers, steps)).rows(
        schedule.sigmas
    )
    assert rows is not None
    assert torch.equal(rows, schedule.coefficients)
    assert FamilyCoefficients(limits, 3.0).rows(schedule.sigmas) is None
