"""What a fit costs: model evaluations, minutes, and how it is followed and stopped."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from sigmasmith.schedules.fitting.budget import OutOfTimeError
from sigmasmith.schedules.fitting.effort import effort_for
from sigmasmith.schedules.fitting.refine import dmn
from sigmasmith.schedules.fitting.report import FITTED

from .fits import POOR, Counted, Timed, assert_contract, mixture, normal, small_fit


@pytest.mark.parametrize(
    ("effort", "flow", "steps"),
    [
        *product(["fast"], [False, True], [(8,), (5, 8, 10, 20)]),
        *product(["balanced"], [False], [(8,), (5, 8, 10, 20)]),
    ],
)
@pytest.mark.parametrize("whole", [0, 8])
@pytest.mark.slow
def test_nfe_is_what_the_denoiser_was_asked_for_and_stays_under_the_limit(flow, effort, whole, steps):
    model = Counted(mixture(flow), whole)
    fit = small_fit(model, normal(8), flow=flow, effort=effort, steps=steps)
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= effort_for(effort, steps).limit(steps)
    said = any("whole batch only" in note for note in fit.report.notes)
    assert said == bool(whole)
    assert_contract(fit, flow)


def test_one_count_at_effort_fast_costs_at_most_a_quarter_of_the_published_search():
    for steps in (5, 8, 10, 20):
        limit = effort_for("fast", (steps,)).limit((steps,))
        assert limit <= (100 + 100 * steps) / 4
        assert steps > 10 or limit <= 80


def test_progress_is_called_after_every_call_and_ends_at_what_was_spent():
    model, told = Counted(mixture()), []

    def progress(done, total, message):
        told.append((model.calls, done, total, message))

    fit = small_fit(model, normal(8), progress=progress)
    assert [calls for calls, *_ in told] == list(range(1, model.calls + 1))
    done = [entry[1] for entry in told]
    assert done == sorted(done)
    assert done[-1] == round(fit.nfe)
    assert all(entry[1] <= entry[2] for entry in told)
    messages = list(dict.fromkeys(entry[3] for entry in told))
    assert messages[:2] == ["self-test", "reference"]
    assert messages[-1] == "held-out check"
    assert any("5 steps" in message for message in messages)


@pytest.mark.parametrize("after", [1, 20, 35, 60])
def test_raising_from_progress_cancels_cleanly(after):
    class CancelledError(Exception):
        pass

    model = Counted(mixture())

    def progress(*_):
        if model.calls == after:
            raise CancelledError

    with pytest.raises(CancelledError):
        small_fit(model, normal(8), progress=progress)
    assert model.calls == after


def test_enough_minutes_change_nothing(monkeypatch):
    timed, free = Timed().fit(monkeypatch, minutes=60.0), small_fit(mixture(), normal(8))
    assert timed.nfe == free.nfe <= effort_for("fast", (5,)).limit((5,))
    assert torch.equal(timed.schedules[5], free.schedules[5])


def test_at_the_end_of_the_minutes_the_best_so_far_is_returned(monkeypatch):
    model = Timed()
    fit = model.fit(monkeypatch, minutes=1.7, steps=(5, 8), baselines=POOR)
    assert model.now <= 60.0 * 1.7 + 5.0
    assert fit.nfe == pytest.approx(model.now)
    assert any("minutes were used up" in note for note in fit.report.notes)
    assert set(fit.schedules) == {5, 8}
    assert fit.report.rows[5].chosen == FITTED
    assert_contract(fit)


def test_steps_that_there_was_no_time_for_get_a_host_schedule(monkeypatch):
    fit = Timed().fit(monkeypatch, minutes=2.0, steps=(5, 8, 10, 20))
    missing = [steps for steps in (5, 8, 10, 20) if FITTED not in fit.report.rows[steps].errors]
    assert missing
    assert any(f"no time to fit {', '.join(map(str, missing))} steps" in note for note in fit.report.notes)
    assert_contract(fit)


@pytest.mark.parametrize(
    "minutes", [1.2, 1.7, 2.2, *(pytest.param(more, marks=pytest.mark.slow) for more in (1.5, 3.0))]
)
def test_whatever_was_reached_is_returned_for_every_count(monkeypatch, minutes):
    model = Timed()
    fit = model.fit(monkeypatch, minutes=minutes, steps=(5, 8, 10, 20))
    assert model.now <= 60.0 * minutes + 1.0
    assert set(fit.schedules) == {5, 8, 10, 20}
    unchecked = [str(steps) for steps, row in fit.report.rows.items() if not row.errors]
    said = f"no time for the held-out check of {', '.join(unchecked)} steps" in str(fit.report)
    assert said == bool(unchecked)
    assert_contract(fit)


@pytest.mark.slow
def test_the_minutes_hold_where_no_model_is_called(monkeypatch):
    model, bound = Timed(), dmn.error_bound

    def slow(*given: Any) -> float:
        model.now += 0.5
        return bound(*given)

    monkeypatch.setattr(dmn, "error_bound", slow)
    fit = model.fit(monkeypatch, minutes=3.0, steps=(5, 8), effort="balanced")
    assert model.now <= 60.0 * 3.0 + 1.0
    assert any("minutes were used up" in note for note in fit.report.notes)
    assert set(fit.schedules) == {5, 8}
    assert_contract(fit)


def test_time_is_kept_for_what_the_caller_runs_afterwards(monkeypatch):
    model = Timed()
    fit = model.fit(monkeypatch, minutes=1.7, steps=(5, 8), baselines=POOR, afterwards=20.0)
    assert model.now + 20.0 <= 60.0 * 1.7 + 5.0
    assert_contract(fit)


@pytest.mark.parametrize("minutes", [0.001, 0.3, 0.45])
def test_minutes_too_few_for_the_teacher_raise(monkeypatch, minutes):
    with pytest.raises(OutOfTimeError):
        Timed().fit(monkeypatch, minutes=minutes)
