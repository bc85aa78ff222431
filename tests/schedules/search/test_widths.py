"""Plans of widths: their line of text, and how a budget is shared out by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.presets.file import load_preset, save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.search.widths import (
    UNIFORM,
    WidthPlan,
    least_calls,
    parse_widths,
    plan_of_preset,
    until,
    widths,
    with_plan,
)

from .models import SIGMAS

LEVELS = SIGMAS.tolist()


@pytest.mark.parametrize("text", ["uniform", "until 0.4", "1: 1, 0.7: 3, 0.4: 0", "1: 0, 0.8: 2, 0.3: 1"])
def test_a_plan_is_read_back_from_its_own_line(text):
    assert parse_widths(text).text() == text
    assert parse_widths(parse_widths(text).text()) == parse_widths(text)


def test_short_lines_mean_what_they_say():
    assert parse_widths("") == UNIFORM
    assert parse_widths("Until .4") == until(0.4)
    assert parse_widths("0.8: 2, 0.3: 1") == WidthPlan(((1.0, 0.0), (0.8, 2.0), (0.3, 1.0)))
    assert [until(0.4).at(share) for share in (1.0, 0.41, 0.4, 0.1)] == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("text", ["until", "until 2", "0.4: 1, 0.7: 2", "1: 0, 0.5: 0", "1: -1", "1: 1; drop", "7"])
def test_other_lines_are_refused_with_the_input_named(text):
    with pytest.raises(ValueError, match="plan"):
        parse_widths(text)


@given(budget=st.integers(9, 400), paths=st.integers(1, 3), share=st.sampled_from([None, 0.7, 0.5, 0.2]))
def test_a_budget_is_spent_whole_where_something_is_searched(budget, paths, share):
    if budget < least_calls(8, paths):
        return
    plan = UNIFORM if share is None else until(share)
    given_widths = widths(plan, LEVELS, budget, flow=False, paths=paths)
    assert len(given_widths) == 7
    assert min(given_widths) >= paths
    assert paths + sum(given_widths) == budget


def test_widths_follow_the_share_of_noise():
    assert widths(UNIFORM, LEVELS, 8 + 14, flow=False) == [3] * 7
    early = widths(until(0.5), LEVELS, 8 + 14, flow=False)
    shares = [level / (1.0 + level) for level in LEVELS[1:-1]]
    assert all((width > 1) == (share > 0.5) for width, share in zip(early, shares))
    assert sum(early) == 21


def test_a_budget_below_one_child_a_step_is_refused_with_the_least_that_works():
    with pytest.raises(ValueError, match="budget: 8 model calls are too few for 8 steps on 1 path; the least is 9"):
        widths(UNIFORM, LEVELS, 8, flow=False)
    assert sum(widths(UNIFORM, LEVELS, 9, flow=False)) == 8
    with pytest.raises(ValueError, match="on 2 paths; the least is 16"):
        widths(UNIFORM, LEVELS, 15, flow=False, paths=2)


def test_a_preset_keeps_a_plan_in_its_file_and_runs_as_before(tmp_path):
    model = ModelIdentity(sigma_min=float(SIGMAS[-2]), sigma_max=float(SIGMAS[0]), flow=False)
    plain = Preset(schedules={len(SIGMAS) - 1: SIGMAS}, sampler="euler", model=model)
    assert plan_of_preset(plain.made.more) is None
    for plan in (UNIFORM, until(0.4), parse_widths("1: 1, 0.7: 3, 0.4: 0")):
        save_preset(tmp_path / "kept.safetensors", with_plan(plain, plan), overwrite=True)
        kept = load_preset(tmp_path / "kept.safetensors")
        assert plan_of_preset(kept.made.more) == plan
        assert kept.hash == plain.hash
