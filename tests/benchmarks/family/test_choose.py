"""Where the family usually lies is chosen for the worst model, on noises that taught nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sigmasmith.benchmarks.family import choose
from sigmasmith.benchmarks.family.choose import (
    PairErrors,
    best_for_the_worst,
    cell_of,
    chosen_on_new_noises,
    grid_beside,
)
from sigmasmith.benchmarks.family.subjects import Rows, Training
from sigmasmith.schedules.family.learned import load_family

HERE, THERE = (1.0, 1.0), (1.1618, 1.0)


def case(*gains: float) -> PairErrors:
    return PairErrors(np.ones(2), {pair: np.full(2, 1.0 / gain) for pair, gain in zip((HERE, THERE), gains)})


def test_a_pair_that_serves_all_is_chosen_over_one_that_is_best_on_average():
    assert best_for_the_worst([case(1.5, 0.7), case(1.5, 4.0)], [HERE, THERE]) == HERE
    assert best_for_the_worst([case(1.5, 1.4), case(1.5, 4.0)], [HERE, THERE]) == THERE


@pytest.mark.slow
@pytest.mark.parametrize("start", [(0.7408, 1.0), (1.3499, 1.0)])
def test_from_wherever_it_starts_no_pair_beside_the_chosen_one_is_better(start, monkeypatch):
    monkeypatch.setattr(choose, "ROWS", 12)
    which, family = Training("digits_flow", 1.0, True), load_family()
    chosen = chosen_on_new_noises(family, [which], [5], {"flow": start})["flow"]
    cell = cell_of(family, Rows(which, 12, choose.SEED), 5)
    assert cell.ratio(chosen) == max(map(cell.ratio, grid_beside(chosen))) > 1.0
