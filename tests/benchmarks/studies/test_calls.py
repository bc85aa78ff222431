"""The study of error over model calls: points are averaged by budget, and the race picks a host's schedule."""

from __future__ import annotations

import pytest
from sigmasmith.benchmarks.family.judge import training_of
from sigmasmith.benchmarks.studies.calls import HOST, OSS, OURS, CallsCase, Point, averaged, draw


def test_points_are_averaged_over_models_by_method_and_budget():
    points = [Point(OURS, 700, 600, 2.0), Point(OURS, 700, 700, 8.0), Point(OURS, 3_000, 2_900, 3.0)]
    assert averaged([*points, Point(HOST, 4, 90, 0.5)]) == {
        OURS: [(650.0, pytest.approx(4.0)), (2_900.0, pytest.approx(3.0))],
        HOST: [(90.0, pytest.approx(0.5))],
    }


@pytest.mark.slow
def test_no_host_schedule_is_nearer_than_the_best_and_calls_count_every_row():
    case = CallsCase(training_of("digits_flow@1"), 3, None)
    points = list(case.points(0, budgets=(300,), raced=(1, 3), searched=(3,)))
    assert {point.method for point in points} == {OURS, HOST, OSS}
    assert max(point.gain for point in points if point.method == HOST) <= 1.0
    race = [point.calls for point in points if point.method == HOST]
    assert race == [race[0], 3 * race[0]]
    assert all(point.calls <= point.budget for point in points if point.method == OURS)


def test_the_drawing_is_a_picture(tmp_path):
    draw({OURS: [(700.0, 2.0), (3_000.0, 3.0)]}, tmp_path / "out" / "calls.png", 8)
    assert (tmp_path / "out" / "calls.png").read_bytes().startswith(b"\x89PNG")
