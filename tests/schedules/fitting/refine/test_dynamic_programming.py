"""Exact dynamic programming against every possible schedule, and propagation weights in closed form."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.fitting.refine.dynamic_programming import best_paths, cheapest_paths, propagation_weights
from sigmasmith.schedules.fitting.teacher.local_errors import LocalErrors


def random_tables(count: int, seed: int) -> tuple[LocalErrors, np.ndarray]:
    draw = np.random.default_rng(seed)
    first = np.full((count, count + 1), np.inf)
    pair = np.full((count, count, count), np.inf)
    for i in range(count):
        first[i, i + 1 :] = draw.lognormal(sigma=2.0, size=count - i)
        for h in range(i):
            pair[h, i, i + 1 :] = draw.lognormal(sigma=2.0, size=count - i - 1)
    return LocalErrors(np.geomspace(10.0, 0.03, count), first, pair, np.zeros(count)), draw.uniform(0.05, 2.0, count)


def cost(errors: LocalErrors, weights: np.ndarray, path: list[int]) -> float:
    """The sum that is minimised, spelt out step by step."""
    total = errors.first[path[-1], -1]
    for step in range(1, len(path)):
        before, now, after = (path[step - 2] if step > 1 else None), path[step - 1], path[step]
        error = errors.first[now, after] if before is None else errors.pair[before, now, after]
        total += error * weights[after] ** 2
    return float(total)


@settings(max_examples=60)
@given(count=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_every_step_count_gets_the_cheapest_of_all_schedules(count, seed):
    errors, weights = random_tables(count, seed)
    paths = best_paths(errors, weights, count)
    assert set(paths) == set(range(1, count + 1))
    for steps, path in paths.items():
        every = ([0, *inner] for inner in combinations(range(1, count), steps - 1))
        cheapest = min(cost(errors, weights, other) for other in every)
        assert len(path) == steps
        assert path[0] == 0
        assert path == sorted(set(path))
        assert cost(errors, weights, path) == pytest.approx(cheapest, rel=1e-12)


def test_counts_that_the_grid_cannot_hold_are_left_out():
    errors, weights = random_tables(4, 0)
    assert set(best_paths(errors, weights, 9)) == {1, 2, 3, 4}
    assert set(best_paths(errors, weights, 2)) == {1, 2}


def test_steps_without_an_error_are_taken():
    errors, weights = random_tables(6, 1)
    errors.first[0, 2] = errors.pair[0, 2, 3] = errors.first[3, -1] = 0.0
    assert best_paths(errors, weights, 3)[3] == [0, 2, 3]


@given(count=st.integers(1, 60), kappa=st.floats(-1.0, 2.0))
def test_a_constant_gain_grows_errors_by_a_power_of_sigma(count, kappa):
    sigmas = np.geomspace(14.6, 0.03, count) ** np.linspace(1.0, 1.1, count)
    weights = propagation_weights(sigmas, kappa)
    assert np.allclose(weights, (sigmas[-1] / sigmas) ** (1.0 - kappa), rtol=1e-9)


@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0])
def test_a_gaussians_gain_gives_the_growth_of_its_exact_solution(variance):
    sigmas = np.geomspace(14.6, 0.03, 400)
    weights = propagation_weights(sigmas, variance / (variance + sigmas**2))
    exact = np.sqrt((variance + sigmas[-1] ** 2) / (variance + sigmas**2))
    assert np.allclose(weights, exact, rtol=1e-3)


def test_an_output_that_carries_errors_on_weighs_all_levels_alike():
    assert (propagation_weights(np.array([9.0, 3.0, 1.0]), 1.0) == 1.0).all()


@given(st.integers(0, 10_000), st.sampled_from([1.0, 1.15, 0.8]))
def test_cheapest_paths_are_those_of_an_exhaustive_search(seed, discount):
    cost = np.random.default_rng(seed).normal(0.3, 1.0, (8, 8))
    for steps, path in cheapest_paths(cost, 7, discount).items():
        every = [[0, *inner, 7] for inner in combinations(range(1, 7), steps - 1)]
        sums = [sum(discount**m * cost[i, j] for m, (i, j) in enumerate(pairwise(p))) for p in every]
        assert path == every[int(np.argmin(sums))]


def test_there_are_no_more_steps_than_nodes_allow():
    assert set(cheapest_paths(np.ones((4, 4)), 20)) == {1, 2, 3}
