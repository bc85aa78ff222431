"""What is said while a fit runs, and how often."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.hosting import progress
from sigmasmith.schedules.hosting.progress import Remaining, Throttle, share_in_words, takes_about


def test_the_sentence_names_the_limit_only_where_there_is_one():
    assert takes_about("The fit", 40.0, None) == "The fit takes about 40 seconds more at most"
    assert takes_about("The fit", 200.0, 0) == "The fit takes about 3 minutes more at most"
    said = takes_about("The comparison", 7200.0, 2.5, " more")
    assert said == "The comparison takes about 2.0 hours more, stopped after 2.5 minutes"


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_first_time_is_due_at_once_and_the_next_after_the_interval(clock):
    throttle = Throttle(2.0)
    assert throttle.due()
    clock[0] = 2.0
    assert not throttle.due()
    clock[0] = 2.1
    assert throttle.due()
    clock[0] = 3.0
    assert not throttle.due()


def test_restarted_it_waits_a_whole_interval(clock):
    throttle = Throttle(2.0)
    clock[0] = 10.0
    throttle.restart()
    clock[0] = 11.9
    assert not throttle.due()
    clock[0] = 12.1
    assert throttle.due()


def test_the_time_that_is_told_never_rises_whatever_the_estimates_do():
    remaining = Remaining(" more")
    told = [remaining.told(seconds) for seconds in (300.0, 280.0, 420.0, 281.0, 250.0, 260.0)]
    assert told == [300.0, 280.0, 280.0, 280.0, 250.0, 250.0]
    said = remaining.in_words("reference", 3, 12, 900.0)
    assert said == "reference: 25 % done, 4 minutes more"


def test_a_share_is_told_in_whole_percent_and_never_above_all():
    assert [share_in_words(*given) for given in ((0, 0), (1, 3), (12, 10))] == ["0 %", "33 %", "100 %"]
