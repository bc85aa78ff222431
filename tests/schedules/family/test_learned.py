"""The family's data: complete, smooth between step counts and in guidance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sigmasmith.schedules.family import learned
from sigmasmith.schedules.family.learned import (
    ORDER,
    TERMS,
    VERSION,
    Directions,
    family_of,
    guidance_terms,
    load_family,
)
from sigmasmith.schedules.samplers.parameters import allowed, features


@pytest.fixture(scope="module")
def family():
    return load_family()


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", range(3, 21))
def test_every_step_count_has_falling_levels_and_parameters_where_they_mean_something(family, steps, flow):
    known = family.at(steps, flow=flow)
    assert known.levels.shape == (steps - 1,)
    assert bool((np.diff(known.levels) < 0).all())
    assert known.parameters.shape == (TERMS, steps, features(ORDER))
    assert not known.parameters[:, ~allowed(steps, ORDER)].any()


@pytest.mark.parametrize("flow", [False, True])
def test_a_count_between_two_learned_ones_lies_between_them(family, flow):
    below, between, above = (family.at(steps, flow=flow) for steps in (6, 7, 8))
    for end in (0, -1):
        ends = sorted((below.levels[end], above.levels[end]))
        assert ends[0] <= between.levels[end] <= ends[1]
    last = np.stack([below.parameters[:, -1], above.parameters[:, -1]])
    assert bool((between.parameters[:, -1] >= last.min(0) - 1e-12).all())
    assert bool((between.parameters[:, -1] <= last.max(0) + 1e-12).all())


def test_a_count_below_or_above_all_that_were_learned_is_the_nearest_one_stretched(family):
    known = family.at(8, flow=False)
    alone = learned.Family(family.version, {"ve": {8: known}}, family.typical, family.spread)
    few, many = alone.at(3, flow=False), alone.at(30, flow=False)
    assert few.levels.tolist() == [known.levels[0], known.levels[-1]]
    assert few.parameters[:, -1, -1].tolist() == known.parameters[:, -1, -1].tolist()
    assert len(many.levels) == 29
    assert not many.parameters.any()  # above, they fade to those of DPM++ 2M


@pytest.mark.parametrize("flow", [False, True])
def test_neighbouring_counts_do_not_jump(family, flow):
    for steps in range(3, 20):
        first, second = (family.at(count, flow=flow).levels for count in (steps, steps + 1))
        most = 4.0 * np.log((steps + 1) / steps)  # levels of the ends go about as a power of the step count
        assert abs(first[0] - second[0]) < most
        assert abs(first[-1] - second[-1]) < most


def test_guidance_counts_from_1_to_10():
    assert guidance_terms(0.5).tolist() == guidance_terms(1.0).tolist() == [1.0, 0.0, 0.0]
    assert guidance_terms(3.0) == pytest.approx([1.0, 1.0, 0.0])
    assert guidance_terms(9.0) == pytest.approx([1.0, 2.0, 1.0])
    assert guidance_terms(10.0).tolist() == guidance_terms(30.0).tolist()


def test_up_to_guidance_3_the_term_for_more_counts_for_nothing(family):
    known = family.at(5, flow=False)
    without = learned.Learned(known.levels, known.parameters * np.array([1.0, 1.0, 0.0])[:, None, None])
    for guidance in (1.0, 2.0, 3.0):
        assert np.array_equal(known.parameters_at(guidance), without.parameters_at(guidance))
    assert np.abs(known.parameters_at(6.0) - without.parameters_at(6.0)).max() > 0.01


def test_terms_that_a_file_leaves_out_are_none():
    listed = {"levels": [1.0, -1.0], "parameters": np.ones((2, 3, features(ORDER))).tolist()}
    content = {"version": 1, "typical": {}, "spread": [0.1, 0.1], "spaces": {"ve": {"3": listed}}}
    parameters = family_of(content).at(3, flow=False).parameters
    assert parameters.shape[0] == TERMS
    assert not parameters[2].any()


def test_an_unknown_version_is_named():
    with pytest.raises(ValueError, match="family version 99"):
        load_family(99)


def test_the_data_file_is_small():
    path = Path(learned.__file__).with_name(f"family_{VERSION}.json")
    assert path.stat().st_size < 300_000


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", [3, 5, 7, 20, 26])
def test_numbers_move_levels_and_parameters_of_every_count_straight(family, steps, flow):
    known, once, twice = (family.moved(z, flow=flow).at(steps, flow=flow) for z in ((), (0.5, -1.0), (1.0, -2.0)))
    assert np.abs(once.levels - known.levels).max() > 0.01
    assert np.abs(once.parameters - known.parameters).max() > 0.01
    assert np.allclose(twice.levels - known.levels, 2.0 * (once.levels - known.levels))
    assert np.allclose(twice.parameters - known.parameters, 2.0 * (once.parameters - known.parameters))
    assert np.array_equal(once.parameters[1:], known.parameters[1:])  # alike at every guidance
    assert not once.parameters[:, ~allowed(steps, ORDER)].any()


@pytest.mark.parametrize("flow", [False, True])
def test_the_family_itself_and_the_other_space_stay_where_they_are(family, flow):
    assert family.moved((), flow=flow) is family
    moved = family.moved((1.0,), flow=flow)
    assert np.array_equal(moved.at(8, flow=not flow).levels, family.at(8, flow=not flow).levels)


@pytest.mark.parametrize("flow", [False, True])
def test_a_move_by_one_deviation_along_any_direction_leaves_levels_in_order(family, flow):
    for place in np.eye(family.count_of_directions(flow=flow)):
        for sign in (-1.0, 1.0):
            moved = family.moved((sign * place).tolist(), flow=flow)
            assert all(bool((np.diff(moved.at(steps, flow=flow).levels) < 0).all()) for steps in range(3, 31))


def test_more_numbers_than_directions_are_an_error(family):
    with pytest.raises(ValueError, match="numbers must be at most 8, got 9"):
        family.moved([0.0] * 9, flow=False)


def test_a_family_without_directions_takes_no_numbers(family):
    plain = learned.Family(family.version, family.spaces, family.typical, family.spread)
    assert plain.count_of_directions(flow=True) == 0
    with pytest.raises(ValueError, match="at most 0"):
        plain.moved((1.0,), flow=True)


def test_directions_move_the_first_term_of_the_parameters_alone():
    known = learned.Learned(np.array([1.0, -1.0]), np.ones((TERMS, 3, 5)))
    ways = Directions(np.array([[1.0, 0.0]]), np.full((1, 3, 5), 2.0))
    moved = ways.moved(known, (0.5,))
    assert moved.levels.tolist() == [1.5, -1.0]
    assert moved.parameters[0].tolist() == np.full((3, 5), 2.0).tolist()
    assert moved.parameters[1:].tolist() == known.parameters[1:].tolist()
