"""Plans of widths: their line of text, and how a budget is shared out by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.search.widths import UNIFORM, WidthPlan, least_calls, parse_widths, until, widths

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
