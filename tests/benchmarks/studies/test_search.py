"""The search benchmark: what it compares is what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.studies.search import (
    SearchCase,
    best_of,
    draft_trials,
    equivalent,
    fk_steering,
    step_results,
    stepwise,
)
from sigmasmith.cli.subjects import demo_subject
from sigmasmith.schedules.search.rewards import image_reward
from sigmasmith.schedules.search.seeds import SeedBudget
from sigmasmith.schedules.search.widths import UNIFORM, parse_widths


def case():
    return SearchCase("digits_eps", demo_subject("digits_eps"), {"brightness": image_reward("brightness")})


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_best_of_n_is_the_mean_over_all_subsets(count):
    scores = np.array([0.3, 1.0, -2.0, 0.5, 4.0, 0.5])
    want = np.mean([max(subset) for subset in itertools.combinations(scores, count)])
    assert best_of(scores, count) == pytest.approx(want)


def test_a_score_is_worth_the_n_whose_best_it_is():
    scores = np.random.default_rng(0).normal(size=400)
    assert equivalent(scores, best_of(scores, 12)) == pytest.approx(12.0, abs=0.5)
    assert equivalent(scores, 99.0) == 160.0


def test_perfect_drafts_are_worth_as_many_images_as_there_are_drafts():
    full = torch.from_numpy(np.random.default_rng(1).normal(size=400)).float()
    reached, winners = draft_trials(full, full, SeedBudget(8.0, 16), 3)
    assert equivalent(full.numpy(), reached) == pytest.approx(24.0, rel=0.25)
    assert len(winners) == 300
    noise = torch.from_numpy(np.random.default_rng(2).normal(size=400)).float()
    assert equivalent(full.numpy(), draft_trials(full, noise, SeedBudget(8.0, 16), 3)[0]) < 4.0


def test_steering_without_strength_is_best_of_its_particles_and_with_it_more():
    subject, reward = case(), image_reward("brightness")
    sigmas, x = subject.host(6), subject.start(24)
    plain = fk_steering(subject, x, sigmas, reward, 3, 0.0, 1)
    assert plain.shape[0] == 8
    steered = fk_steering(subject, x, sigmas, reward, 3, 100.0, 1)
    scores = [float(reward.measure(subject.images(end)).mean()) for end in (plain, steered)]
    assert scores[1] > scores[0]


@pytest.mark.slow
def test_a_search_at_equal_calls_beats_one_run_and_every_method_has_its_result():
    subject, reward = case(), image_reward("brightness")
    results = step_results(subject, reward, 6, ("uniform", "until 0.4"))
    assert set(results) == {"none", "best of 3", "Feynman-Kac 1", "Feynman-Kac 10", "uniform", "until 0.4"}
    values = {name: reward.measure(subject.images(result.end))[:, 0] for name, result in results.items()}
    scores = {name: float(each.mean()) for name, each in values.items()}
    assert scores["uniform"] > scores["none"]
    again = stepwise(subject, subject.start(6), subject.host(16), reward, 48, UNIFORM)
    torch.testing.assert_close(again.end, results["uniform"].end)
    assert again.scored == results["uniform"].scored == 48 - 1  # all but the first call's, which has no rival
    assert results["none"].scored == 0
    assert results["best of 3"].scored == 3
    assert "diversity" in again.beside(subject)
    assert parse_widths("until 0.4") != UNIFORM
