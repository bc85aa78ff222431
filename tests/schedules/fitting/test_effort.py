"""What a fit may spend: limits by name and by model calls in all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sigmasmith.schedules.fitting.effort import EFFORTS, RACED, effort_for
from sigmasmith.schedules.samplers.fitted import NAME

from .fits import Counted, mixture, normal, small_fit


def test_fast_races_where_coefficients_are_fitted():
    assert effort_for("fast", (5,), coefficients=True) == RACED
    assert effort_for("fast", (20,), coefficients=True).teacher_nodes == 60
    assert replace(effort_for("fast", (5, 8)), least_rows=0) == EFFORTS["fast"]
    assert RACED.limit((5,)) * 6 == pytest.approx(680)
    assert RACED.limit((5, 10)) * 6 == pytest.approx(1.5 * RACED.limit((10,)) * 6)


@pytest.mark.parametrize("sampler", [NAME, "dpmpp_2m"])
@pytest.mark.parametrize("calls", [400, 700, 1500, pytest.param(5000, marks=pytest.mark.slow)])
def test_calls_bound_a_fit_and_choose_its_rows(calls, sampler):
    model = Counted(mixture())
    fit = small_fit(model, normal(32), sampler=sampler, calls=calls)
    assert model.rows <= calls
    assert model.rows >= 0.4 * calls or fit.report.samples == 24
    assert fit.calls == pytest.approx(model.rows, rel=0.01)


@pytest.mark.parametrize(("effort", "base", "a_step"), [("quick", 100, 70), ("fast", 100, 120)])
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_race_makes_no_more_calls_than_are_promised(effort, base, a_step, steps):
    model = Counted(mixture())
    small_fit(model, normal(32), sampler=NAME, steps=steps, effort=effort)
    assert 0.7 * (base + a_step * steps) <= model.rows <= base + a_step * steps


@pytest.mark.parametrize("samplers", [("dpmpp_2m", "euler"), ("dpmpp_2m", "euler", NAME)])
def test_several_samplers_share_the_calls(samplers):
    model = Counted(mixture())
    fit = small_fit(model, normal(32), sampler=samplers, calls=1500)
    assert 600 <= model.rows <= 1500
    assert fit.calls == pytest.approx(model.rows, rel=0.01)
    with pytest.raises(ValueError, match=r"calls must be at least \d+ for up to 5 steps and 3 samplers, got 400"):
        small_fit(model, normal(32), sampler=("dpmpp_2m", "euler", "ddim"), steps=5, calls=400)


@pytest.mark.parametrize("steps", [5, 8, 10, 20])
def test_more_calls_take_more_noises_up_to_forty_eight(steps):
    budgets = range(150 + 120 * steps, 60_000, 50)
    rows = [effort_for("fast", (steps,), coefficients=True, calls=calls).rows or 0 for calls in budgets]
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (6, 48)


@pytest.mark.parametrize("steps", [(2, 8), (8, 40)])
def test_calls_refine_counts_that_a_race_has_nothing_for(steps):
    assert effort_for("fast", steps, coefficients=True, calls=200_000).refines
    assert not effort_for("fast", (8, 30), coefficients=True, calls=200_000).refines


@pytest.mark.parametrize(
    ("effort", "steps", "given"),
    [("fast", (5,), 11), ("fast", (10,), 16), ("fast", (20,), 13), ("fast", (5, 8, 10), 8), ("balanced", (8,), 8)],
)
def test_hosts_give_a_sampler_of_theirs_the_noises_that_the_calls_of_a_default_fit_pay_for(effort, steps, given):
    of_host = effort_for(effort, steps)
    assert of_host.noises(4) == given
    assert of_host.noises(24) == 24
    if effort == "fast" and len(steps) == 1:
        assert 0.85 * (100 + 120 * steps[0]) <= given * of_host.limit(steps) <= 100 + 120 * steps[0]


@pytest.mark.parametrize(("effort", "asked", "given"), [("quick", 64, 6), ("fast", 4, 6), ("balanced", 4, 16)])
def test_hosts_give_a_fit_of_coefficients_the_noises_that_its_effort_is_worth(effort, asked, given):
    assert effort_for(effort, (8,), coefficients=True).noises(asked) == given
    assert effort_for("balanced", (8,), coefficients=True).noises(40) == 40
    assert effort_for("balanced", (8,)).noises(asked) == max(asked, 8)


@pytest.mark.parametrize(
    ("effort", "noises", "coefficients", "could"),
    [
        ("quick", 6, True, False),
        ("fast", 6, True, False),
        ("balanced", 16, True, False),
        ("balanced", 24, True, True),
        ("fast", 16, False, True),
        ("fast", 14, False, False),
    ],
)
def test_fewer_noises_are_no_advice_where_the_effort_has_its_own_number(effort, noises, coefficients, could):
    assert effort_for(effort, (8,), coefficients=coefficients).could_be_fewer(noises) == could


@pytest.mark.parametrize("coefficients", [False, True])
def test_too_few_calls_say_how_many_are_needed(coefficients):
    with pytest.raises(ValueError, match=r"calls must be at least \d+ for up to 8 steps, got 20"):
        effort_for("fast", (5, 8), coefficients=coefficients, calls=20)
