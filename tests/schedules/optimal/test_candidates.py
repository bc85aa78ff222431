"""Starts of the search: schedules on the teacher's levels, their cost, measured gains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.schedules.curves import CURVES
from sigmasmith.schedules.optimal.candidates import dp_schedules, measured_gains, path_cost
from sigmasmith.schedules.optimal.dynamic_programming import propagation_weights
from sigmasmith.schedules.optimal.local_errors import LocalErrors, densify, local_errors
from sigmasmith.schedules.optimal.solvers import MULTISTEP_RULES
from sigmasmith.schedules.sigmas import check_sigmas

from .fits import DIM, mixture, objective_of, range_of, teacher_of


def tables(flow: bool, name: str = "dpmpp_2m") -> LocalErrors:
    return local_errors(densify(teacher_of(mixture(flow), 6, 40, flow=flow), 2), MULTISTEP_RULES[name])


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", MULTISTEP_RULES)
def test_candidates_keep_the_contract_and_start_at_sigma_max(name, flow):
    known = range_of(flow)
    for count, sigmas in dp_schedules(tables(flow, name), 0.75, (1, 2, 5, 10, 20)).items():
        assert torch.equal(check_sigmas(sigmas), sigmas)
        assert len(sigmas) == count + 1
        assert float(sigmas[0]) == float(np.float32(known.sigma_max))
        assert float(sigmas[-2]) >= known.sigma_min * (1.0 - 1e-6)


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_no_schedule_of_the_closed_forms_costs_less_than_the_candidate(steps):
    known, errors = range_of(False), tables(False)
    weights = propagation_weights(errors.sigmas, 0.75)
    best = path_cost(errors, weights, dp_schedules(errors, 0.75, (steps,))[steps])
    for name in ("karras", "exponential", "tangent"):
        assert path_cost(errors, weights, CURVES[name](steps, known.sigma_min, known.sigma_max)) >= best


def test_the_cost_of_a_path_is_the_sum_that_dynamic_programming_minimises():
    errors = tables(False)
    weights = propagation_weights(errors.sigmas, 0.5)
    path = [0, 20, 45, 70]
    sigmas = torch.tensor([*errors.sigmas[path], 0.0], dtype=torch.float32)
    by_hand = errors.first[0, 20] * weights[20] ** 2 + errors.first[70, -1]
    by_hand += errors.pair[0, 20, 45] * weights[45] ** 2 + errors.pair[20, 45, 70] * weights[70] ** 2
    assert path_cost(errors, weights, sigmas) == pytest.approx(by_hand)


def test_cheap_schedules_are_good_ones_when_they_are_run():
    objective, errors = objective_of(mixture(), 6), tables(False)
    found = objective(dp_schedules(errors, 0.75, (8,))[8])
    known = range_of(False)
    assert found.error < objective(CURVES["exponential"](8, known.sigma_min, known.sigma_max)).error


def test_measured_gains_find_those_of_a_model_that_forgets_and_one_that_carries_on():
    for factor in (0.2, 0.9):

        def model(x, sigma, factor=factor):
            return factor * x + torch.sin(3.0 * sigma.log())[:, None]

        objective = objective_of(model, 6)
        dense = densify(teacher_of(model, 6, 40), 2)
        errors = local_errors(dense, MULTISTEP_RULES["dpmpp_2m"])
        trials = [objective(sigmas) for sigmas in dp_schedules(errors, 0.75, (5, 8, 12)).values()]
        gains = measured_gains(trials, dense, objective.rows)
        assert gains.shape == dense.sigmas.shape
        assert np.median(gains) == pytest.approx(factor, abs=0.1)


def test_without_measurements_gains_are_three_quarters():
    dense = densify(teacher_of(mixture(), 3, 20), 2)
    assert np.allclose(measured_gains([], dense, slice(0, 3)), 0.75)
    assert dense.states.shape[2] == DIM
