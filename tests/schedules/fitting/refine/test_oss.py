"""The recursive search, mended: near the best schedule of a small grid, at the cost promised."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher, power_law, random_mixture
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.refine.oss import oss_schedules
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.teacher import run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

ROWS = 6
RANGES = {False: SigmaRange(0.03, 14.6), True: SigmaRange(0.001, 1.0, flow=True)}


def start(dim: int, sigma_range: SigmaRange) -> torch.Tensor:
    return sigma_range.sigma_max * torch.randn(ROWS, dim, generator=torch.Generator().manual_seed(0))


def search(model, sigma_range, nodes, steps, sampler="dpmpp_2m", *, corridor=True, x=None):
    """(teacher, schedules, evaluations per sample of the search alone)."""
    x = start(model.dim if hasattr(model, "dim") else len(model.mean), sigma_range) if x is None else x
    run, sketch, rows = DirectRun(model, x, {}), Sketch(x.shape[1], 512), slice(0, len(x))
    teacher = run_teacher(run, teacher_sigmas(nodes, sigma_range), rows, sketch, Budget(len(x), 100.0))
    budget = Budget(len(x), 100.0)
    found = oss_schedules(
        run, MULTISTEP_RULES[sampler], teacher, steps, rows=rows, sketch=sketch, budget=budget, corridor=corridor
    )
    return teacher, found, budget.spent


def error(model, x, sigmas, sampler, reference):
    return geometric_mean(sample_errors(own_sampler(sampler)(model, x, sigmas), reference))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
@pytest.mark.parametrize("flow", [False, True])
def test_on_a_small_grid_it_is_within_a_percent_of_exhaustive_search(sampler, flow):
    draw = torch.Generator().manual_seed(1)
    model = GaussianTeacher(torch.randn(12, generator=draw).double(), power_law(12, 1.2), flow)
    teacher, found, _ = search(model, RANGES[flow], 14, (1, 2, 3, 4), sampler, corridor=False)
    x = start(12, RANGES[flow])
    for steps, sigmas in found.items():
        paths = [(0, *rest) for rest in combinations(range(1, 14), steps - 1)]
        best = min(error(model, x, finish_sigmas(teacher.sigmas[list(p)]), sampler, teacher.end) for p in paths)
        assert error(model, x, sigmas, sampler, teacher.end) <= 1.01 * best


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_it_costs_about_half_of_all_steps_times_nodes(flow):
    model = random_mixture(2, power_law(16, 1.2), flow=flow)
    for steps in ((20,), (5, 8, 10, 20)):
        _, found, spent = search(model, RANGES[flow], 48, steps)
        assert tuple(found) == steps
        assert spent <= 0.6 * 20 * 48


def test_all_that_can_be_reached_is_steps_times_nodes_less_a_triangle():
    model = random_mixture(2, power_law(16, 1.2))
    _, _, spent = search(model, RANGES[False], 12, range(1, 5), corridor=False)
    # One state at the first node; after s = 1, 2, 3 steps the nodes s .. 11.
    assert spent == 1 + 11 + 10 + 9


@pytest.mark.slow
def test_the_corridor_holds_the_schedules_that_the_whole_search_finds():
    for flow in (False, True):
        model = random_mixture(3, power_law(16, 1.2), flow=flow)
        for sampler in ("euler", "dpmpp_2m"):
            _, narrow, _ = search(model, RANGES[flow], 32, (4, 7, 12), sampler)
            _, whole, _ = search(model, RANGES[flow], 32, (4, 7, 12), sampler, corridor=False)
            assert all(torch.equal(narrow[steps], whole[steps]) for steps in whole)


def test_schedules_keep_the_contract_and_start_at_sigma_max():
    model = random_mixture(4, power_law(16, 1.2), flow=True)
    _, found, _ = search(model, RANGES[True], 24, (1, 2, 5, 9))
    for steps, sigmas in found.items():
        assert len(sigmas) == steps + 1
        assert float(sigmas[0]) == 1.0
        assert float(sigmas[-1]) == 0.0


def test_counts_that_the_nodes_cannot_hold_are_left_out():
    model = random_mixture(4, power_law(16, 1.2))
    _, found, _ = search(model, RANGES[False], 6, (3, 6, 7))
    assert tuple(found) == (3, 6)
    assert search(model, RANGES[False], 6, (7,))[1] == {}


def test_models_are_called_in_decreasing_sigma():
    model, seen = random_mixture(2, power_law(16, 1.2)), []

    def watched(x, sigma):
        seen.append(float(sigma[0]))
        return model(x, sigma)

    search(watched, RANGES[False], 16, (4, 6), x=start(16, RANGES[False]))
    calls = seen[16:]  # the teacher's come first
    assert calls == sorted(calls, reverse=True)


@pytest.mark.parametrize("sampler", list(MULTISTEP_RULES))
def test_states_of_the_search_are_those_of_the_sampler(sampler):
    model, states = random_mixture(5, power_law(16, 1.2), flow=True), []

    def watched(x, sigma):
        states.append((float(sigma[0]), x.clone()))
        return model(x, sigma)

    x = start(16, RANGES[True])
    _, found, _ = search(watched, RANGES[True], 12, (6,), sampler, x=x)
    searched = states[12:]
    states = []
    own_sampler(sampler)(watched, x, found[6])
    for sigma, state in states:
        near = [s for level, s in searched if level == sigma]
        assert min(float((state - s).abs().max()) for s in near) < 1e-5


def test_without_splitting_the_rows_asked_for_decide_alone():
    model = random_mixture(6, power_law(16, 1.2))
    x, sketch, rows = start(16, RANGES[False]), Sketch(16, 512), slice(0, 4)
    found = []
    for states in (x, x[:4]):
        run = DirectRun(model, states, {})
        teacher = run_teacher(run, teacher_sigmas(16, RANGES[False]), rows, sketch, Budget(len(states), 1.0))
        budget = Budget(len(states), 1.0)
        rule = MULTISTEP_RULES["dpmpp_2m"]
        found.append(oss_schedules(run, rule, teacher, (5,), rows=rows, sketch=sketch, budget=budget)[5])
    assert torch.equal(*found)


def test_nan_from_the_model_is_named():
    model, calls = random_mixture(2, power_law(16, 1.2)), []

    def broken(x, sigma):
        calls.append(sigma)
        return model(x, sigma) * (float("nan") if len(calls) > 20 else 1.0)

    with pytest.raises(ModelError, match="sigma"):
        search(broken, RANGES[False], 16, (4,), x=start(16, RANGES[False]))
