"""Starts of the search: schedules on the teacher's levels, their cost, measured gains."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.refine.candidates import (
    dmn_candidates,
    dp_schedules,
    gits_candidates,
    measured_gains,
    path_cost,
)
from sigmasmith.schedules.fitting.refine.dmn import dmn_levels
from sigmasmith.schedules.fitting.refine.dynamic_programming import propagation_weights
from sigmasmith.schedules.fitting.refine.gits import COEFFICIENT, euler_costs
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.local_errors import LocalErrors, densify, local_errors
from sigmasmith.schedules.fitting.teacher.teacher import run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

from ..fits import DIM, FLOW, VE, mixture, normal, objective_of, range_of, teacher_of

# The models' whole ranges, and those of runs that start below sigma_max.
RANGES = [VE, FLOW, SigmaRange(VE.sigma_min, 1.7), SigmaRange(FLOW.sigma_min, 0.4, flow=True)]


def tables(flow: bool, name: str = "dpmpp_2m") -> LocalErrors:
    return local_errors(densify(teacher_of(mixture(flow), 6, 40, flow=flow), 2), MULTISTEP_RULES[name])


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", MULTISTEP_RULES)
@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("known", RANGES)
def test_gits_and_dmn_candidates_of_every_count_keep_the_contract(known):
    run, rows = DirectRun(mixture(known.flow), known.sigma_max * normal(3), {}), slice(0, 3)
    levels = teacher_sigmas(30, known)
    dense = densify(run_teacher(run, levels, rows, Sketch(DIM, 512), Budget(3, 1e9)), 2)
    every, few = range(1, 21), (1, 2, 6, 11)  # DMN's optimisation takes a second or two at 20 steps
    by_bound = dmn_candidates(known, few, lambda sigmas: float(sigmas.sum()))
    for found, counts in ((gits_candidates(dense, every), every), (by_bound, few)):
        assert list(found) == list(counts)
        for count, sigmas in found.items():
            assert torch.equal(check_sigmas(sigmas), sigmas)
            assert len(sigmas) == count + 1
            assert float(sigmas[0]) == pytest.approx(known.sigma_max, rel=1e-6)
            assert float(sigmas[-2]) >= known.sigma_min * (1.0 - 1e-6)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_gits_candidate_is_the_cheapest_of_all_paths_to_sigma_zero(flow, steps):
    dense = densify(teacher_of(mixture(flow), 4, 12, flow=flow), 1)
    nodes = np.append(dense.sigmas, 0.0)
    slopes = (dense.states - dense.outputs) / dense.sigmas[:, None, None]
    costs = euler_costs(nodes, np.append(dense.states, dense.end[None], axis=0), slopes)
    every = [[0, *inner, 12] for inner in combinations(range(1, 12), steps - 1)]
    cheapest = min(every, key=lambda path: sum(COEFFICIENT**m * costs[i, j] for m, (i, j) in enumerate(pairwise(path))))
    assert gits_candidates(dense, [steps])[steps].tolist() == pytest.approx(nodes[cheapest].tolist())


def test_gits_leaves_out_counts_that_the_levels_cannot_hold():
    dense = densify(teacher_of(mixture(), 3, 6), 1)
    assert list(gits_candidates(dense, [4, 6, 7])) == [4, 6]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_of_the_two_dmn_bounds_the_cheaper_schedule_is_the_candidate(sign):
    def area(sigmas: torch.Tensor) -> float:
        return sign * float(sigmas.sum())

    both = [torch.tensor([*dmn_levels(VE, 6, power), 0.0], dtype=torch.float32) for power in (1, 2)]
    assert not torch.allclose(both[0], both[1])
    assert torch.equal(dmn_candidates(VE, [6], area)[6], min(both, key=area))
