"""How long a fit will take, from its first calls."""

from __future__ import annotations

import pytest
import torch
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


def test_a_timed_call_is_booked_with_its_rows_and_its_output_is_given_back():
    timer, output = CallTimer(rows=4), torch.zeros(2, 1)
    for _ in range(4):
        assert timer.timed(2, lambda: output) is output
    assert (timer.calls, timer.rows_timed) == (4, 6)
    assert timer.seconds > 0.0


def test_the_first_estimate_is_given_once_as_soon_as_enough_calls_were_timed():
    timer = CallTimer(rows=4)
    for _ in range(4):
        assert timer.first_estimate(0, 10) is None
        timer.add(2, 1.0)
    assert timer.first_estimate(0, 10) == pytest.approx(20.0)
    assert timer.first_estimate(1, 10) is None
