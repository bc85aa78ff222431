"""Moving one sigma at a time: never worse, never beyond its allowance, and better than slopes where there are none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting import search
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.journal import Journal
from sigmasmith.schedules.fitting.objective import Objective
from sigmasmith.schedules.fitting.refine.candidates import path_cost
from sigmasmith.schedules.fitting.refine.coordinate_descent import (
    by_local_error,
    descend_by_coordinates,
    moved,
    run_cost,
)
from sigmasmith.schedules.fitting.refine.dynamic_programming import propagation_weights
from sigmasmith.schedules.fitting.refine.gauss_newton import refine
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.local_errors import densify, local_errors
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

from ..fits import DIM, VE, Counted, mixture, normal, objective_of, rollouts_of, small_fit, teacher_of

ROWS = 6


def sample_switching(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """DPM++ 2M where a step is short, Euler where it is long: the end jumps where a step crosses the threshold."""
    levels, old = [float(sigma) for sigma in sigmas], None
    for i, (high, low) in enumerate(pairwise(levels)):
        denoised = model(x, high * x.new_ones(len(x)))
        if low == 0.0:
            return denoised
        aim = denoised
        if old is not None and np.log(high / low) < 0.8:
            ratio = np.log(levels[i - 1] / high) / np.log(high / low)
            aim = denoised + (denoised - old) * 0.5 / ratio
        x, old = aim + (x - aim) * low / high, denoised
    return x


def sample_rounding(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """Euler on the nearest of thirty levels, as models that know only so many noise levels run it."""
    table = np.geomspace(0.02, VE.sigma_max, 30)
    levels = [float(table[np.abs(np.log(table / float(sigma))).argmin()]) for sigma in sigmas[:-1]]
    for high, low in pairwise([*levels, 0.0]):
        denoised = model(x, high * x.new_ones(len(x)))
        x = denoised + (x - denoised) * low / high
    return x


@cache
def reference_ends(rows: int) -> torch.Tensor:
    return teacher_of(mixture(), rows, 40).end


def objective_for(sampler, rows: int = ROWS) -> Objective:
    rollouts = rollouts_of(mixture(), rows, sampler=sampler)
    return Objective(rollouts, reference_ends(rows), slice(0, rows), Sketch(DIM, 16_384))


def schedule(curve: str, steps: int) -> torch.Tensor:
    return CURVES[curve](steps, VE.sigma_min, VE.sigma_max)


@pytest.mark.parametrize(("sampler", "curve"), [(sample_switching, "exponential"), (sample_rounding, "exponential")])
def test_where_a_sampler_jumps_it_beats_gauss_newton_at_the_same_allowance(sampler, curve):
    found = []
    for descend in (refine, descend_by_coordinates):
        objective = objective_for(sampler)
        found.append(descend(objective, objective(schedule(curve, 8)), VE.sigma_min, 120.0).error)
    assert found[1] < 0.95 * found[0]


@pytest.mark.slow
@settings(max_examples=25)
@given(
    curve=st.sampled_from(["karras", "exponential", "tangent"]),
    steps=st.integers(1, 12),
    allowance=st.floats(0.0, 120.0),
    jumps=st.booleans(),
)
def test_it_is_never_worse_keeps_its_allowance_and_the_contract(curve, steps, allowance, jumps):
    objective = objective_for(sample_switching if jumps else "dpmpp_2m", 4)
    start = objective(schedule(curve, steps))
    before = objective.rollouts.budget.spent
    found = descend_by_coordinates(objective, start, VE.sigma_min, allowance)
    assert objective.rollouts.budget.spent - before <= allowance
    assert found.error <= start.error
    assert torch.equal(check_sigmas(found.sigmas), found.sigmas)
    assert found.sigmas[0] == start.sigmas[0]
    assert steps == 1 or float(found.sigmas[-2]) >= VE.sigma_min * (1.0 - 1e-5)
    assert objective.best[steps].error == found.error


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun"])
@pytest.mark.parametrize("lost", [False, True])
def test_two_calls_a_step_and_a_start_whose_outputs_are_lost_stay_within_the_allowance(sampler, lost):
    objective = objective_of(mixture(), 4, sampler=sampler)
    start = objective(schedule("karras", 6))
    if lost:
        start.rollout.forget()
    found = start
    for allowance in (0.0, 3.0, 7.0, 12.0, 40.0):
        before = objective.rollouts.budget.spent
        found = descend_by_coordinates(objective, start, VE.sigma_min, allowance)
        assert objective.rollouts.budget.spent - before <= allowance
    assert found.error < start.error


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_a_move_costs_no_more_than_was_announced(sampler):
    objective = objective_of(mixture(), 4, sampler=sampler)
    start = objective(schedule("karras", 7))
    for number in range(1, 7):
        sigmas = moved(start.sigmas, number, 0.2, VE.sigma_min)
        assert sigmas is not None
        before = objective.rollouts.budget.spent
        objective(sigmas, start)
        assert objective.rollouts.budget.spent - before <= run_cost(objective, start, number)


@given(
    steps=st.integers(2, 20),
    number=st.integers(1, 19),
    share=st.floats(-0.45, 0.45),
    curve=st.sampled_from(sorted(CURVES)),
)
def test_a_moved_sigma_stays_between_its_neighbours_and_above_the_floor(steps, number, share, curve):
    sigmas = CURVES[curve](steps, VE.sigma_min, VE.sigma_max)
    number = min(number, steps - 1)
    found = moved(sigmas, number, share, VE.sigma_min)
    if found is None:
        return
    assert torch.equal(check_sigmas(found), found)
    kept = [at for at in range(steps + 1) if at != number]
    torch.testing.assert_close(found[kept], sigmas[kept], rtol=1e-6, atol=0.0)
    assert float(found[-2]) >= VE.sigma_min * (1.0 - 1e-6)


def test_the_last_sigma_at_the_floor_does_not_move_down():
    sigmas = schedule("karras", 5)
    assert moved(sigmas, 4, -0.3, VE.sigma_min) is None
    assert moved(sigmas, 4, 0.3, VE.sigma_min) is not None


def test_the_sigma_beside_the_worst_step_comes_first():
    errors = local_errors(densify(teacher_of(mixture(), ROWS, 40), 2), MULTISTEP_RULES["dpmpp_2m"])
    weights = propagation_weights(errors.sigmas, 0.75)
    sigmas = schedule("tangent", 8)
    leap = torch.cat([sigmas[:4], sigmas[4:6] * 0.35, sigmas[6:]])  # one step far too long
    leap = check_sigmas(leap.sort(descending=True).values)
    assert path_cost(errors, weights, leap) > path_cost(errors, weights, sigmas)
    order = by_local_error(errors, weights, leap)
    assert sorted(order) == list(range(1, 8))
    assert set(order[:2]) & {3, 4}


@pytest.mark.slow
def test_a_fit_hands_over_where_slopes_gain_nothing_and_stays_within_its_limit(monkeypatch):
    handed = []

    def recorded(objective, start, floor, allowance, order):
        before = objective.rollouts.budget.spent
        found = descend_by_coordinates(objective, start, floor, allowance, order)
        handed.append((start.error, found.error, objective.rollouts.budget.spent - before <= max(allowance, 0.0)))
        return found

    monkeypatch.setattr(search, "descend_by_coordinates", recorded)
    model = Counted(mixture(cfg=3.0))
    fit = small_fit(model, normal(8), sampler=sample_rounding, steps=(5, 8), effort="balanced")
    assert any(after < before for before, after, _ in handed)
    assert all(within for *_, within in handed)
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= EFFORTS["balanced"].limit((5, 8))


@pytest.mark.slow
def test_a_fit_of_a_smooth_sampler_never_needs_it(monkeypatch):
    monkeypatch.setattr(search, "descend_by_coordinates", lambda *_: pytest.fail("slopes were enough"))
    small_fit(mixture(cfg=3.0), normal(8), sampler="dpmpp_2m", steps=(5, 8), effort="balanced")


def test_a_start_that_was_read_from_records_is_gone_on_from_as_one_that_was_run(tmp_path):
    """With less left than a whole run costs, moves of the last sigmas still fit."""
    answer, allowance = torch.ones(1, 4, dtype=torch.float64), 4.0
    found = []
    for _ in range(2):
        book = Journal.open(tmp_path, "fit", answer)
        objective = objective_of(mixture(), 4)
        objective = replace(objective, rollouts=replace(objective.rollouts, journal=book))
        start = objective(schedule("karras", 6))
        before = objective.rollouts.budget.spent
        ended = descend_by_coordinates(objective, start, VE.sigma_min, allowance, order=(4, 5, 3, 2, 1))
        found.append((ended, start))
        assert objective.rollouts.budget.spent - before <= allowance
        book.close()
        kept = book.key("run", "", start.sigmas, 0, 4)
        for path in tmp_path.glob("*.record"):  # all but the start, as where a fit is killed behind it
            if kept not in path.name:
                path.unlink()
    (clean, start), (resumed, _) = found
    assert clean.error < start.error
    assert torch.equal(clean.sigmas, resumed.sigmas)
