"""How long a fit will take, from its first calls."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.hosting.call_timer import CallTimer


def test_the_first_call_does_not_count_and_three_more_are_enough():
    timer = CallTimer(rows=4)
    timer.add(4, 60.0)  # loads the model
    for _ in range(3):
        assert not timer.ready
        timer.add(4, 2.0)
    assert timer.ready
    assert timer.seconds_left(10, 110) == pytest.approx(200.0)
    assert timer.seconds_left(120, 110) == 0.0


def test_time_is_counted_per_row():
    timer = CallTimer(rows=4)
    for _ in range(4):
        timer.add(2, 1.0)
    assert timer.seconds_left(0, 10) == pytest.approx(20.0)


def test_without_a_timed_call_nothing_is_said():
    assert CallTimer(rows=4).seconds_left(0, 100) == 0.0
