"""Plans of pruning keep to their budget, and the best rows go on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.search.pruning import pruning_plan, search_pruned, survivors
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.seeds import DrawnImages

from .models import BRIGHT


@given(images=st.floats(2.0, 64.0), steps=st.integers(4, 60), keep=st.integers(1, 2))
def test_a_plan_spends_no_more_than_its_budget_and_one_more_seed_would(images, steps, keep):
    try:
        plan = pruning_plan(images, steps, keep)
    except ValueError:
        assert images < keep + 1.5
        return
    rows = [plan.start, *(plan.left[step] for step in sorted(plan.left))]
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] == keep
    assert plan.row_steps(steps) <= images * steps + 1e-6


def test_eight_images_worth_of_calls_start_about_twenty_seeds():
    assert 16 <= pruning_plan(8.0, 16).start <= 24
    with pytest.raises(ValueError, match="budget: 1 images' worth"):
        pruning_plan(1.0, 16)


def test_the_best_rows_survive_in_their_order():
    assert survivors([0, 3, 5, 8], torch.tensor([0.1, 0.9, 0.5, 0.7]), 2) == [3, 8]


class GreyBatch:
    """Row n ends as an image of brightness (7 n mod 11) / 11, and is half as bright on the way."""

    def pruned(self, seeds, rounds, choose):
        alive, rows = list(range(len(seeds))), 0
        images = torch.stack([torch.full((2, 2, 3), 7 * seed % 11 / 11) for seed in seeds])
        for step in range(1, 17):
            rows += len(alive)
            if rounds.get(step, len(alive)) < len(alive):
                alive = choose(0.5 * images[alive], alive, rounds[step])
        return DrawnImages(images[alive][..., 0], images[alive], rows / len(alive))


def test_the_brightest_of_a_batch_is_left_within_the_budget():
    plan = pruning_plan(5.0, 16)
    search = search_pruned(GreyBatch(), BRIGHT, plan, 0)
    assert search.kept == [max(range(plan.start), key=lambda seed: 7 * seed % 11)]
    assert search.calls == plan.row_steps(16) <= 80
    assert len(search.drafts) == plan.start
    assert search.winner == 0


def test_a_reward_that_fails_leaves_the_rows_that_led_until_then():
    scored = []

    def fails(images):
        scored.append(len(images))
        return "bad" if len(scored) == 2 else images.mean(dim=(1, 2, 3))

    plan = pruning_plan(5.0, 16)
    search = search_pruned(GreyBatch(), ScoreReward("odd", fails), plan, 0)
    assert "reward odd" in search.stopped
    assert search.kept == [max(range(plan.start), key=lambda seed: 7 * seed % 11)]
    assert search.winner == 0
