"""Plans of pruning keep to their budget, and the best rows go on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.search.pruning import pruning_plan, survivors


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
