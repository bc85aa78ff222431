"""Parameters and coefficients of the fitted multistep sampler, its greedy start, and the joint refinement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.coefficients.features import feature_sketches
from sigmasmith.schedules.fitting.coefficients.greedy import GreedyFit
from sigmasmith.schedules.fitting.coefficients.joint import (
    SlopePlan,
    coordinates_around,
    joint_jacobian_calls,
    parameter_columns,
    refine_coefficients,
    slope_plan,
)
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.objective import Objective, Trial
from sigmasmith.schedules.fitting.refine.gauss_newton import jacobian
from sigmasmith.schedules.fitting.report import FITTED, WITHOUT_COEFFICIENTS, StepReport
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.local_errors import densify
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.parameters import allowed, coefficients_of, features, parameters_of, row_of
from torch import Tensor

from ..fits import DIM, Counted, mixture, normal, objective_of, range_of, small_fit, teacher_of

ROWS = 8


def schedule(steps: int, flow: bool = False) -> Tensor:
    known = range_of(flow)
    return CURVES["karras"](steps, known.sigma_min, known.sigma_max)


def greedy_trial(objective: Objective, steps: int, flow: bool = False, order: int = 4) -> Trial:
    teacher = densify(teacher_of(mixture(flow), ROWS, 40, flow=flow), 2)
    sampler = GreedyFit(teacher, Sketch(DIM, 512), objective.rows, order)
    sigmas = schedule(steps, flow)
    run = objective.rollouts.with_sampler(sampler)(sigmas, objective.rows)
    return objective(sigmas, run, "greedy", coefficients_of(sampler.theta, sigmas))


@pytest.fixture(scope="module")
def objectives() -> dict[bool, Objective]:
    return {flow: objective_of(mixture(flow), ROWS, flow=flow) for flow in (False, True)}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.booleans(), st.integers(0, 2**16))
def test_parameters_survive_the_way_through_coefficients(steps, order, flow, seed):
    theta = np.random.default_rng(seed).normal(size=(steps, features(order))) * allowed(steps, order)
    sigmas = schedule(steps, flow)
    back = parameters_of(coefficients_of(theta, sigmas), sigmas)
    # float32 weights: what cancels in small steps at high sigmas loses digits.
    rest = 1.0 - sigmas[1:].double().numpy() / sigmas[:-1].double().numpy()
    scale = np.maximum(sigmas[:-1].double().numpy(), 1.0) / rest
    assert np.all(np.abs(back - theta) <= 1e-5 * scale[:, None] * (1.0 + np.abs(theta).max()))


def test_the_feature_of_each_parameter_is_what_it_adds_to_the_step():
    generator = torch.Generator().manual_seed(1)
    x, *history = (torch.randn(2, DIM, generator=generator, dtype=torch.float64) for _ in range(5))
    columns = feature_sketches(x, history, 1.7, 0.6, 4)
    plain = row_of(np.zeros(features(4)), 1.7, 0.6)
    for feature in range(features(4)):
        change = row_of(np.eye(features(4))[feature], 1.7, 0.6) - plain
        added = change[0] * x + sum(weight * output for weight, output in zip(change[1:], history))
        torch.testing.assert_close(columns[:, :, feature], added)


def test_differences_without_history_have_no_parameter():
    assert allowed(5, 4)[:, :3].tolist() == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]
    assert allowed(5, 4)[:, 3:].all()


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", [4, 7])
def test_the_greedy_table_is_closer_to_the_teacher_than_dpmpp_2m(objectives, flow, steps):
    objective = objectives[flow]
    plain = objective(schedule(steps, flow))
    assert greedy_trial(objective, steps, flow).error < 0.8 * plain.error


def test_the_greedy_run_answers_every_call_of_its_coefficients(objectives):
    objective = objectives[False]
    before = objective.rollouts.budget.rows_evaluated
    greedy_trial(objective, 6)
    assert objective.rollouts.budget.rows_evaluated - before == 6 * ROWS


@pytest.mark.parametrize("flow", [False, True])
def test_a_joint_jacobian_column_is_the_central_difference_of_true_residuals(objectives, flow):
    objective = objectives[flow]
    start = greedy_trial(objective, 5, flow)
    coordinates = coordinates_around(start, SlopePlan(5, 0), range_of(flow).sigma_min)
    slope = jacobian(objective, start, coordinates)
    assert slope.shape[2] == len(coordinates.differences) == 4 + len(parameter_columns(5, 4, 5))
    for column, size in enumerate(0.25 * coordinates.differences):
        unit = np.eye(slope.shape[2])[column]
        ahead, behind = (coordinates.trial(objective, sign * size * unit, start).residual for sign in (1.0, -1.0))
        central = (ahead - behind) / (2.0 * size)
        # Forward differences as large as the error to be corrected: curvature changes their length, hardly their aim.
        aim = torch.nn.functional.cosine_similarity(slope[:, :, column].flatten(), central.flatten(), dim=0)
        assert float(aim) > 0.9


@pytest.mark.parametrize(("steps", "knots"), [(4, 4), (6, 6), (12, 5), (20, 3)])
def test_a_joint_jacobian_costs_the_calls_that_were_announced(objectives, steps, knots):
    objective = objectives[False]
    start = greedy_trial(objective, steps)
    before = objective.rollouts.budget.spent
    jacobian(objective, start, coordinates_around(start, SlopePlan(knots, 0), range_of(False).sigma_min))
    assert objective.rollouts.budget.spent - before == pytest.approx(joint_jacobian_calls(steps, 4, knots))


@pytest.mark.parametrize("flow", [False, True])
def test_the_joint_refinement_lowers_the_error_within_its_allowance(objectives, flow):
    objective = objectives[flow]
    start = greedy_trial(objective, 5, flow)
    before = objective.rollouts.budget.spent
    found = refine_coefficients(objective, start, range_of(flow).sigma_min, 120.0)
    assert objective.rollouts.budget.spent - before <= 120.0
    assert found.error < 0.9 * start.error
    assert torch.equal(check_sigmas(found.sigmas), found.sigmas)
    assert float(found.sigmas[0]) == float(start.sigmas[0])
    assert float(found.sigmas[-2]) >= range_of(flow).sigma_min * (1.0 - 1e-5)


def test_an_allowance_too_small_for_a_jacobian_leaves_the_start(objectives):
    start = greedy_trial(objectives[False], 6)
    assert slope_plan(objectives[False], start, 20.0).knots == 0
    assert refine_coefficients(objectives[False], start, range_of(False).sigma_min, 20.0) is start


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_a_fit_of_schedule_and_coefficients_beats_the_schedule_alone_on_noise_it_never_saw(flow):
    model, noise = mixture(flow), normal(16)
    fit = small_fit(model, noise, flow=flow, sampler="sigmasmith_multistep", steps=(5, 8), effort="balanced")
    plain = small_fit(model, noise, flow=flow, steps=(5, 8), effort="balanced")
    fresh = normal(48, seed=77) * range_of(flow).sigma_max
    from sigmasmith.schedules.samplers.by_name import own_sampler

    reference = own_sampler("deis")(
        model, fresh, CURVES["karras"](400, range_of(flow).sigma_min, range_of(flow).sigma_max)
    )
    for steps in (5, 8):
        assert fit.report.rows[steps].chosen == FITTED
        end = fit.sampler_function()(model, fresh, fit.schedules[steps])
        other = plain.sampler_function()(model, fresh, plain.schedules[steps])
        assert geometric_mean(sample_errors(end, reference)) < geometric_mean(sample_errors(other, reference))


@pytest.mark.slow
def test_a_fit_with_coefficients_stays_under_its_limit_and_survives_a_preset_file(tmp_path):
    fit = small_fit(mixture(), normal(12), sampler="sigmasmith_multistep", steps=(2, 4, 6), effort="balanced")
    assert fit.nfe <= EFFORTS["balanced"].limit((2, 4, 6), coefficients=True)
    assert set(fit.coefficients) <= {2, 4, 6}
    assert WITHOUT_COEFFICIENTS in fit.report.rows[6].errors
    path = tmp_path / "fit.safetensors"
    fit.save(path)
    again = type(fit).load(path)
    x = normal(2) * range_of(False).sigma_max
    for steps in (4, 6):
        first, second = (one.sampler_function()(mixture(), x, one.schedules[steps]) for one in (fit, again))
        assert torch.equal(first, second)


def test_coefficients_that_lose_on_the_held_out_rows_are_not_returned(monkeypatch):
    from sigmasmith.schedules.fitting import pipeline

    real = pipeline.candidates_of

    def spoiled(search, count):
        candidates = real(search, count)
        assert candidates[FITTED].coefficients is not None
        return {
            name: one if one.coefficients is None else replace(one, coefficients=one.coefficients * 1.5)
            for name, one in candidates.items()
        }

    monkeypatch.setattr(pipeline, "candidates_of", spoiled)
    fit = small_fit(mixture(), normal(12), sampler="sigmasmith_multistep")
    assert fit.report.rows[5].chosen != FITTED
    assert fit.coefficients == {}


def test_a_fit_of_coefficients_resumes_to_the_same_bits(tmp_path):
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int, message: str) -> None:
        if done >= 120:
            raise StoppedError

    options = {"sampler": "sigmasmith_multistep", "steps": (4, 6)}
    whole = small_fit(mixture(), normal(8), **options)
    with pytest.raises(StoppedError):
        small_fit(mixture(), normal(8), journal=tmp_path / "j", progress=stop, **options)
    resumed = small_fit(mixture(), normal(8), journal=tmp_path / "j", **options)
    for steps in (4, 6):
        assert torch.equal(whole.schedules[steps], resumed.schedules[steps])
    assert {k: v.tolist() for k, v in whole.coefficients.items()} == {
        k: v.tolist() for k, v in resumed.coefficients.items()
    }


def test_two_models_in_turn_and_the_recursive_search_refuse_the_fitted_sampler():
    with pytest.raises(ValueError, match="method: oss"):
        small_fit(mixture(), normal(8), sampler="sigmasmith_multistep", method="oss")
    with pytest.raises(ValueError, match="sampler: sigmasmith_multistep"):
        small_fit(mixture(), normal(8), sampler="sigmasmith_multistep", low_denoiser=mixture(), boundary=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [0, 8])
@pytest.mark.parametrize("steps", [(5,), (20,), (5, 8)])
def test_a_fit_of_coefficients_stays_under_its_limit(whole, steps):
    model = Counted(mixture(), whole)
    fit = small_fit(model, normal(8), sampler="sigmasmith_multistep", steps=steps, effort="balanced")
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= EFFORTS["balanced"].limit(steps, coefficients=True)


def test_a_preset_calls_what_is_returned_fitted_with_coefficients_or_without():
    row = StepReport(5, {FITTED: 0.4, WITHOUT_COEFFICIENTS: 0.3, "simple": 0.9}, {}, WITHOUT_COEFFICIENTS)
    assert row.for_preset() == (FITTED, {FITTED: 0.3, "simple": 0.9})
    assert replace(row, chosen="simple").for_preset() == ("simple", {FITTED: 0.4, "simple": 0.9})
