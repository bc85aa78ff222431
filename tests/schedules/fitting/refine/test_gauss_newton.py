"""Refinement: true slopes, never worse, within its allowance, sigmas kept in order and in range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.objective import Objective
from sigmasmith.schedules.fitting.refine.gauss_newton import (
    affordable_columns,
    bounded_step,
    jacobian,
    jacobian_calls,
    refine,
    shifts_around,
)
from sigmasmith.schedules.hosting.named_curves import CURVES

from ..fits import mixture, objective_of, range_of

FAMILIES = [(False, "karras"), (False, "exponential"), (True, "karras"), (True, "tangent")]


@pytest.fixture(scope="module")
def objectives() -> dict[bool, Objective]:
    return {flow: objective_of(mixture(flow), 6, flow=flow) for flow in (False, True)}


def schedule(curve: str, steps: int, flow: bool) -> torch.Tensor:
    known = range_of(flow)
    return CURVES[curve](steps, known.sigma_min, known.sigma_max)


@pytest.mark.parametrize(("flow", "curve"), FAMILIES)
def test_a_jacobian_column_is_the_central_difference_of_true_residuals(objectives, flow, curve):
    objective, floor = objectives[flow], range_of(flow).sigma_min
    start = objective(schedule(curve, 6, flow))
    shifts = shifts_around(start.sigmas, 5, floor)
    slope = jacobian(objective, start, shifts)
    assert slope.shape == (*start.residual.shape, 5)
    for column, unit in enumerate(np.eye(5)):
        ahead, behind = (objective(shifts.schedule(sign * 0.02 * unit)).residual for sign in (1.0, -1.0))
        central = (ahead - behind) / 0.04
        # The column is a forward difference over a tenth of the gap: a few percent of curvature remain.
        assert float((slope[:, :, column] - central).norm() / central.norm()) < 0.25


def test_hat_functions_tie_many_sigmas_to_a_few_unknowns(objectives):
    start = objectives[False](schedule("karras", 20, False))
    shifts = shifts_around(start.sigmas, 5, range_of(False).sigma_min)
    assert shifts.basis.shape == (19, 5)
    assert np.allclose(shifts.basis.sum(axis=1), 1.0)
    assert jacobian(objectives[False], start, shifts).shape[2] == 5


@pytest.mark.parametrize(("steps", "columns"), [(2, 1), (5, 4), (8, 3), (20, 5), (20, 12), (30, 4)])
def test_a_jacobian_costs_the_calls_that_were_announced(objectives, steps, columns):
    objective = objectives[False]
    start = objective(schedule("karras", steps, False))
    before = objective.rollouts.budget.spent
    jacobian(objective, start, shifts_around(start.sigmas, columns, range_of(False).sigma_min))
    assert objective.rollouts.budget.spent - before == pytest.approx(jacobian_calls(steps, columns))


def test_one_step_has_nothing_to_move():
    assert jacobian_calls(1, 3) == 0


@given(steps=st.integers(2, 40), calls=st.floats(0.0, 500.0))
def test_affordable_columns_leave_room_for_two_runs(steps, calls):
    columns = affordable_columns(steps, calls)
    assert 0 <= columns <= min(steps - 1, 12)
    if columns:
        assert jacobian_calls(steps, columns) + 2 * steps <= calls


@pytest.mark.slow
@settings(max_examples=25)
@given(
    family=st.sampled_from(FAMILIES),
    steps=st.integers(1, 14),
    allowance=st.floats(0.0, 150.0),
)
def test_refinement_is_never_worse_keeps_its_allowance_and_the_contract(objectives, family, steps, allowance):
    flow, curve = family
    objective, known = objectives[flow], range_of(flow)
    start = objective(schedule(curve, steps, flow))
    before = objective.rollouts.budget.spent
    found = refine(objective, start, known.sigma_min, allowance)
    assert objective.rollouts.budget.spent - before <= allowance + 1e-9
    assert found.error <= start.error
    assert torch.equal(check_sigmas(found.sigmas), found.sigmas)
    assert found.sigmas[0] == start.sigmas[0]
    assert len(found.sigmas) == steps + 1
    assert float(found.sigmas[-2]) >= known.sigma_min * (1.0 - 1e-5) or steps == 1
    if allowance == 0.0 or steps == 1:
        assert found is start


def test_refinement_with_heun_keeps_its_allowance_but_for_rounding():
    objective = objective_of(mixture(), 4, sampler="heun")
    start = objective(schedule("karras", 6, False))
    before = objective.rollouts.budget.spent
    found = refine(objective, start, range_of(False).sigma_min, 120.0)
    assert objective.rollouts.budget.spent - before <= 120.0 * 1.05
    assert found.error < start.error


@pytest.mark.parametrize(("flow", "curve"), [(False, "exponential"), (True, "tangent")])
def test_refinement_makes_a_poor_schedule_at_least_twice_better(objectives, flow, curve):
    objective = objectives[flow]
    start = objective(schedule(curve, 8, flow))
    found = refine(objective, start, range_of(flow).sigma_min, 150.0)
    assert found.error < 0.5 * start.error
    assert "refined" in found.origin


def test_the_trial_that_comes_back_is_the_one_that_was_measured(objectives):
    objective = objectives[False]
    found = refine(objective, objective(schedule("karras", 6, False)), range_of(False).sigma_min, 100.0)
    assert objective(found.sigmas).error == found.error


@pytest.mark.slow
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), steps=st.integers(2, 20), columns=st.integers(1, 12))
def test_any_step_of_any_slope_keeps_sigmas_ordered_and_in_range(seed, steps, columns):
    known, draw = range_of(False), torch.Generator().manual_seed(seed)
    shifts = shifts_around(schedule("karras", steps, False), columns, known.sigma_min)
    at = np.zeros(shifts.basis.shape[1])
    for _ in range(5):
        residual = torch.randn(3, 8, generator=draw, dtype=torch.float64)
        slope = torch.randn(3, 8, len(at), generator=draw, dtype=torch.float64) * 10.0 ** -(seed % 5)
        at = at + bounded_step(shifts, at, residual, slope, 1e-4, 0.0)
        sigmas = check_sigmas(shifts.schedule(at))
        assert float(sigmas[0]) == float(np.float32(known.sigma_max))
        assert float(sigmas[-2]) >= known.sigma_min * (1.0 - 1e-5)
