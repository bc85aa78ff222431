"""Trials: scored on their rows, the best of every step count remembered."""

from __future__ import annotations

import math

import pytest
import torch
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.objective import flat_weights, mean_log, near_square
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler

from .fits import VE, mixture, normal, objective_of


def karras(steps: int, rho: float = 7.0) -> torch.Tensor:
    return CURVES["karras"](steps, VE.sigma_min, VE.sigma_max, rho=rho)


def test_a_trial_is_scored_by_its_end_states_alone():
    objective = objective_of(mixture(), 5)
    trial = objective(karras(6), origin="a test")
    end = own_sampler("dpmpp_2m")(mixture(), VE.sigma_max * normal(5), karras(6))
    assert torch.equal(trial.rollout.end, end)
    assert torch.equal(trial.errors, sample_errors(end, objective.reference))
    assert trial.error == geometric_mean(trial.errors)
    assert torch.allclose(trial.residual, (end - objective.reference).double())
    assert (trial.steps, trial.origin) == (6, "a test")


def test_the_best_of_every_step_count_is_remembered():
    objective = objective_of(mixture(), 5)
    trials = [objective(karras(steps, rho)) for steps in (4, 6) for rho in (2.0, 7.0, 12.0, 4.0)]
    for steps in (4, 6):
        assert objective.best[steps].error == min(trial.error for trial in trials if trial.steps == steps)


def test_an_equal_error_does_not_replace_the_first():
    objective = objective_of(mixture(), 5)
    first = objective(karras(4), origin="first")
    objective(karras(4), origin="second")
    assert objective.best[4] is first


@pytest.mark.parametrize(("splits", "share"), [(True, 3 / 8), (False, 1.0)])
def test_a_call_costs_its_rows_or_the_whole_batch(splits, share):
    full = objective_of(mixture(), 8)
    assert isinstance(full.rollouts.run, DirectRun)
    full.rollouts.run.splits = splits
    part = type(full)(full.rollouts, full.reference[:3], slice(0, 3), full.sketch, splits)
    before = full.rollouts.budget.spent
    trial = part(karras(5))
    assert part.share == share
    assert full.rollouts.budget.spent - before == pytest.approx(5 * share)
    assert len(trial.errors) == 3


def test_the_leading_rows_are_scored_as_they_are_among_all_and_remembered_apart():
    objective = objective_of(mixture(), 8)
    few = objective.leading(3)
    trial, everything = few(karras(5)), objective(karras(5))
    assert torch.allclose(trial.errors, everything.errors[:3])
    assert few.best[5] is trial
    assert objective.best[5] is everything
    assert few.share == 3 / 8 * objective.share


def test_rows_are_weighted_so_that_each_ones_log_error_counts_alike():
    residual = torch.tensor([[1.0, 0.0], [0.0, 10.0]], dtype=torch.float64)
    assert flat_weights(residual).tolist() == pytest.approx([1.0, 0.01])


def test_a_row_without_any_error_keeps_its_weight_finite():
    weights = flat_weights(torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64))
    assert torch.isfinite(weights).all()
    assert torch.isfinite(flat_weights(torch.zeros(2, 3, dtype=torch.float64))).all()


def test_a_row_that_is_near_already_cannot_pay_for_others():
    """Brought ten thousand times nearer it outweighs twice the distance of three others, but for the least distance."""
    start = torch.ones(4, dtype=torch.float64)
    one_settled = torch.tensor([1e-8, 4.0, 4.0, 4.0], dtype=torch.float64)
    assert mean_log(one_settled, 0.0) < mean_log(start, 0.0)
    near = near_square(start, 0.5)
    assert near == pytest.approx(0.25)
    assert mean_log(one_settled, near) > mean_log(start, near)


def test_the_least_distance_is_a_share_of_a_typical_rows_and_scales_with_them():
    squares = torch.tensor([1.0, 100.0], dtype=torch.float64)
    assert near_square(squares, 0.5) == pytest.approx(2.5)
    assert near_square(9.0 * squares, 0.5) == pytest.approx(22.5)
    assert math.isfinite(mean_log(torch.zeros(2, dtype=torch.float64), near_square(torch.zeros(2), 0.5)))


def test_weights_are_the_slope_of_the_mean_log_distance():
    residual = torch.tensor([[0.3, -0.2], [1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    near = 0.4
    value = 0.5 * (residual.square().sum(1) + near).log().sum()
    (slope,) = torch.autograd.grad(value, residual)
    weights = flat_weights(residual.detach(), near)
    assert torch.allclose(slope, weights[:, None] * residual.detach())
