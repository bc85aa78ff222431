"""Counting, progress and the minutes."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.fitting.budget import Budget, OutOfTimeError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_rows_are_counted_per_sample():
    budget = Budget(rows=8, limit=10.0)
    budget.count(8)
    budget.count(2)
    assert budget.spent == pytest.approx(1.25)
    assert budget.left == pytest.approx(8.75)


def test_what_is_left_is_never_negative():
    budget = Budget(rows=2, limit=1.0)
    budget.count(6)
    assert budget.left == 0.0


def test_progress_is_told_what_is_done_and_never_more_than_the_total():
    told = []
    budget = Budget(rows=4, limit=2.4, progress=lambda *seen: told.append(seen), message="teacher")
    for _ in range(4):
        budget.count(4)
    assert told == [(1, 2, "teacher"), (2, 2, "teacher"), (3, 3, "teacher"), (4, 4, "teacher")]


def test_without_minutes_time_never_runs_out():
    clock = Clock()
    budget = Budget(rows=1, limit=10.0, clock=clock)
    budget.count(1)
    clock.now += 1e9
    budget.before_call()


def test_the_minutes_are_counted_from_the_start():
    clock = Clock()
    budget = Budget(rows=1, limit=10.0, minutes=1.0, clock=clock)
    budget.count(1)
    clock.now += 59.0
    budget.before_call()
    clock.now += 2.0
    with pytest.raises(OutOfTimeError):
        budget.before_call()


def test_the_first_call_is_always_allowed():
    clock = Clock()
    budget = Budget(rows=1, limit=10.0, minutes=0.001, clock=clock)
    clock.now += 60.0
    budget.before_call()


def test_the_reserve_is_kept_free_at_the_measured_pace():
    clock = Clock()
    budget = Budget(rows=1, limit=100.0, minutes=1.0, clock=clock, reserve_in_time=10.0)
    budget.count(10)
    clock.now += 29.0  # 2.9 s each: the reserve takes another 29
    budget.before_call()
    clock.now += 2.0
    with pytest.raises(OutOfTimeError):
        budget.before_call()
    budget.reserve_in_time = 0.0
    budget.before_call()


def test_seconds_are_those_since_the_start():
    clock = Clock()
    budget = Budget(rows=1, limit=1.0, clock=clock)
    clock.now += 12.5
    assert budget.seconds == 12.5


def test_an_exception_from_progress_passes_through():
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Budget(rows=1, limit=1.0, progress=stop).count(1)


def test_what_the_caller_runs_afterwards_is_kept_free_to_the_end():
    clock = Clock()
    budget = Budget(rows=1, limit=100.0, minutes=1.0, clock=clock, afterwards=10.0)
    budget.count(10)
    clock.now += 29.0
    budget.before_call()
    clock.now += 2.0
    with pytest.raises(OutOfTimeError):
        budget.before_call()
