"""What guidance above 3 adds is learned alone: nothing else of the family moves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sigmasmith.benchmarks.family import high_guidance, learn, sets
from sigmasmith.benchmarks.family.high_guidance import with_high_guidance
from sigmasmith.benchmarks.family.learn import space_content
from sigmasmith.benchmarks.family.subjects import Rows, Training
from sigmasmith.schedules.family.learned import load_family

STEPS = 3


@pytest.fixture(scope="module")
def digits():
    return Rows(Training("digits_eps", 7.0, False), 2, 100, levels=16)


@pytest.fixture(scope="module")
def moved(digits):
    return with_high_guidance(load_family(), [digits], [STEPS], rounds=1)


def test_levels_places_and_what_holds_up_to_guidance_3_stay(moved, digits):
    scale, stretch = load_family().typical["ve"]
    known, family = moved.shared[STEPS], load_family().at(STEPS, flow=False)
    assert np.array_equal(known.levels, family.levels)
    assert np.array_equal(known.parameters[:2], family.parameters[:2])
    assert not np.array_equal(known.parameters[2], family.parameters[2])
    assert moved.own[digits.which.key] == pytest.approx((np.log(scale), stretch))


def test_the_model_ends_nearer_at_that_guidance(moved, digits):
    family = load_family().at(STEPS, flow=False)
    before = learn._value(moved.as_learned(load_family(), flow=False), [digits])
    assert learn._value(moved, [digits]) < before
    assert np.array_equal(moved.shared[STEPS].parameters_at(3.0), family.parameters_at(3.0))


def test_what_was_shrunk_once_is_not_shrunk_again(moved):
    listed = np.array(space_content(moved)[str(STEPS)]["parameters"])
    assert np.allclose(listed[1], load_family().at(STEPS, flow=False).parameters[1], atol=1e-5)


def test_learning_for_all_guidance_leaves_the_term_alone(digits):
    key = digits.which.key
    start = learn.first_guess([STEPS], [key]).as_learned(load_family(), flow=False)
    assert np.array_equal(
        learn.learn([digits], start, 1).shared[STEPS].parameters[2], start.shared[STEPS].parameters[2]
    )


def test_every_model_that_teaches_it_is_above_3_and_can_be_left_out():
    for flow in (False, True):
        assert {which.guidance > 3.0 for which in sets.guided_set(flow)} == {True}
        left = [which for which in sets.guided_set(flow) if sets.kept(which, ["letters"], [16])]
        assert 0 < len(left) < len(sets.guided_set(flow))


def test_the_command_writes_the_term_into_the_file(tmp_path, monkeypatch):
    family = tmp_path / "family.json"
    family.write_text(
        json.dumps({"version": 1, "spread": [0.1, 0.1], "typical": {"ve": [0.9, 0.9]}, "spaces": {"ve": CONTENT}})
    )
    monkeypatch.setattr(high_guidance, "guided_set", lambda flow: [Training("digits_eps", 7.0, flow)])
    monkeypatch.setattr(high_guidance, "ROWS", 2)
    high_guidance.main([str(family), "--space", "ve", "--steps", str(STEPS)])
    spaces = json.loads(family.read_text("utf-8"))["spaces"]["ve"]
    assert spaces["3"]["levels"] == CONTENT["3"]["levels"]
    assert np.array(spaces["3"]["parameters"][2]).any()
    assert spaces["4"] == CONTENT["4"]


CONTENT = {
    str(steps): {
        "levels": load_family().at(steps, flow=False).levels.round(5).tolist(),
        "parameters": load_family().at(steps, flow=False).parameters[:2].round(5).tolist(),
    }
    for steps in (3, 4)
}
