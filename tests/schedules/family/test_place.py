"""Where the family lies on a model: words, facts, and what is left of it at another step count."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sigmasmith.schedules.family.place import FamilyPlace


def test_a_place_tells_its_numbers_where_there_are_any():
    plain = FamilyPlace(1, math.log(2.0), 1.1, (0.0, 0.0))
    assert plain.facts == {"version": 1, "scale": 2.0, "stretch": 1.1}
    assert plain.in_words() == "The family (version 1) suits this model at scale 2, stretch 1.1."
    assert plain.in_words(moved=True).endswith("at scale 2, stretch 1.1, and every step a little besides.")
    moved = FamilyPlace(1, 0.0, 1.0, (0.5, -1.25))
    assert moved.facts["numbers"] == [0.5, -1.25]
    assert "directions 0.5, -1.25" in moved.in_words()


@pytest.mark.parametrize("numbers", [(), (0.5, -1.25)])
def test_a_place_is_that_of_its_facts(numbers):
    place = FamilyPlace(1, 0.42, 1.1, numbers, 8)
    again = FamilyPlace.of_facts(place.facts, flow=True)
    assert again == place
    assert again.at_steps(10) == place.at_steps(10)


@pytest.mark.parametrize(
    "changed",
    [{"scale": "a"}, {"scale": 1e9}, {"numbers": ["a"]}, {"numbers": [0.1] * 9}, {"numbers": 3}, {"version": 99}],
)
def test_other_words_are_no_place(changed: dict[str, Any]):
    facts = FamilyPlace(1, 0.0, 1.0, (0.5,), 8).facts | changed
    with pytest.raises((ValueError, TypeError)):
        FamilyPlace.of_facts(facts, flow=False)


def test_numbers_fade_with_the_distance_between_step_counts():
    place = FamilyPlace(1, 0.0, 1.0, (1.0, -2.0), 8)
    assert place.at_steps(8) == place
    near, far = place.at_steps(10).numbers, place.at_steps(16).numbers
    assert 0.7 < near[0] < 0.8
    assert 0.2 < far[0] < 0.3
    assert place.at_steps(4).numbers == far
    assert place.at_steps(20).numbers == place.at_steps(3).numbers == ()
