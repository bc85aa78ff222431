"""Settings of a controlled run: what is understood and what is refused."""

from __future__ import annotations

import math

import pytest
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.control import Churn, Control, Restart, parse_restarts
from sigmasmith.schedules.variance.eta_curves import constant, parse_curve

SIGMAS = CURVES["karras"](20, 0.03, 14.6).tolist()


def test_restarts_are_read_with_their_repeats():
    assert parse_restarts("0.3-1.1 x2, 2 to 5;") == (Restart(0.3, 1.1, 2), Restart(2.0, 5.0, 1))
    assert parse_restarts("  ") == ()


def test_a_restart_moves_to_the_runs_own_levels():
    first, last = Restart(0.3, 1.1).nodes(SIGMAS)
    assert first < last
    for i, wanted in ((first, 1.1), (last, 0.3)):
        nearest = min(SIGMAS[:-1], key=lambda sigma: abs(math.log(sigma / wanted)))
        assert SIGMAS[i] == nearest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("again", "restarts: 'again' is not understood"),
        ("1.1-0.3", "restarts: the window is upside down"),
        ("0.3-0.3", "upside down"),
        ("0-1", "lower sigma must be above 0"),
        ("0.3-1.1 x0", "must run 1 to 100 times"),
        ("0.3-1.1 x101", "must run 1 to 100 times"),
    ],
)
def test_restarts_that_cannot_be_are_named(text, words):
    with pytest.raises(ValueError, match=words):
        parse_restarts(text)


def test_an_interval_without_a_step_is_said_with_the_runs_range():
    with pytest.raises(ValueError, match=r"restarts: no step of this run lies between sigma 200 and 100"):
        Restart(100.0, 200.0).nodes(SIGMAS)


def test_churn_acts_inside_its_window_only():
    churn = Churn(3.0, high=8.0, low=0.1)
    assert [churn.acts_at(sigma) for sigma in (9.0, 8.0, 1.0, 0.1, 0.05)] == [False, True, True, True, False]
    assert not Churn(0.0, high=0.0, low=5.0).acts_at(1.0)  # the window of an absent churn is not looked at


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="s_tmin, s_tmax: the window is upside down"):
        Churn(1.0, high=1.0, low=2.0)
    with pytest.raises(ValueError, match=r"^s_churn must be 0 or more, got -1"):
        Churn(-1.0)
    with pytest.raises(ValueError, match=r"^s_churn must be 0 or more, got nan"):
        Churn(math.nan)
    with pytest.raises(ValueError, match=r"^posterior must be from 0"):
        Control(posterior=1.5)
    with pytest.raises(ValueError, match="posterior: the variance between the bounds belongs to eta 1"):
        Control(eta=parse_curve("cosine 1 to 0", "eta"), posterior=0.5)
    assert Control(eta=constant(1.0, "eta"), posterior=0.5).posterior == 0.5
