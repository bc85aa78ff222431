"""Learning starts anew, goes on from a file, and leaves models where it is told to."""

from __future__ import annotations

import pytest
from sigmasmith.benchmarks.family.learn import learn
from sigmasmith.benchmarks.family.subjects import Rows, Training
from sigmasmith.benchmarks.family.unknowns import first_guess
from sigmasmith.schedules.family.learned import load_family

STEPS = 3


@pytest.fixture(scope="module")
def digits():
    return Rows(Training("digits_eps", 1.0, False), 2, 100, levels=16)


def test_a_round_moves_levels_parameters_and_the_models_places(digits):
    key = digits.which.key
    start = first_guess([STEPS], [key])
    learned = learn([digits], start, 1)
    assert learned.own[key] != start.own[key]
    assert (learned.shared[STEPS].levels != start.shared[STEPS].levels).any()
    assert learned.shared[STEPS].parameters.any()


def test_held_models_stay_while_a_step_count_is_learned_at_their_places(digits):
    key = digits.which.key
    places = {key: (0.3, 1.1)}
    learned = learn([digits], first_guess([STEPS], [key]).at_places(places, held=True), 1)
    assert learned.own == places
    assert learned.shared[STEPS].parameters.any()
    with pytest.raises(KeyError):
        first_guess([STEPS], ["another"]).at_places(places, held=True)


def test_learning_goes_on_from_what_is_known(digits):
    key, family = digits.which.key, load_family()
    start = first_guess([STEPS, 5], [key, "another"]).as_learned(family, flow=False)
    assert start.shared == {steps: family.at(steps, flow=False) for steps in (STEPS, 5)}
    assert start.at_places({key: (0.3, 1.1)}, held=False).own == {key: (0.3, 1.1), "another": (0.0, 1.0)}
