"""What a fit may spend: limits by name and by model calls in all."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.fitting.effort import EFFORTS, RACED, effort_for
from sigmasmith.schedules.samplers.fitted import NAME

from .fits import Counted, mixture, normal, small_fit


def test_fast_races_where_coefficients_are_fitted():
    assert effort_for("fast", (5,), coefficients=True) == RACED
    assert effort_for("fast", (20,), coefficients=True).teacher_nodes == 60
    assert effort_for("fast", (5, 8)) is EFFORTS["fast"]
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


def test_more_calls_take_more_noises():
    rows = [effort_for("fast", (5,), coefficients=True, calls=calls).rows or 0 for calls in (700, 1500, 2800)]
    assert rows == sorted(rows)
    assert rows[0] == 6
    assert rows[-1] == 23


def test_every_step_is_refined_from_twelve_noises_on():
    first = next(
        effort
        for calls in range(2500, 4000, 10)
        if (effort := effort_for("fast", (5,), coefficients=True, calls=calls)).refines
    )
    assert first.rows == 12
    assert effort_for("fast", (10,), coefficients=True, calls=10_000).rows == 13
    assert effort_for("fast", (5,), coefficients=True, calls=10_000).rows == 24


def test_every_step_is_refined_where_there_are_calls_for_it():
    assert not effort_for("fast", (10,), coefficients=True, calls=5_000).refines
    assert effort_for("fast", (10,), coefficients=True, calls=20_000).refines


@pytest.mark.parametrize("coefficients", [False, True])
def test_too_few_calls_say_how_many_are_needed(coefficients):
    with pytest.raises(ValueError, match=r"calls must be at least \d+ for up to 8 steps, got 20"):
        effort_for("fast", (5, 8), coefficients=coefficients, calls=20)
