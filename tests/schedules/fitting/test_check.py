"""Who wins on the held-out rows."""

from __future__ import annotations

from typing import Any

import torch
from sigmasmith.schedules.core.metrics import geometric_mean
from sigmasmith.schedules.fitting.check import winner
from sigmasmith.schedules.fitting.objective import Trial
from sigmasmith.schedules.fitting.report import FAMILY, FITTED

STEPS = 5


def trial(*errors: float) -> Trial:
    values, nothing = torch.tensor(errors, dtype=torch.float64), torch.zeros(1, 1)
    unused: Any = None
    return Trial(torch.tensor([1.0, 0.0]), values, geometric_mean(values), nothing, unused, "")


def test_the_smallest_error_wins():
    assert winner({FITTED: trial(1.0, 1.0), "karras": trial(2.0, 2.0)}, STEPS) == FITTED
    assert winner({FITTED: trial(2.0, 2.0), "karras": trial(1.0, 1.0), "simple": trial(1.5, 1.5)}, STEPS) == "karras"


def test_a_mean_that_one_sample_decides_does_not_beat_the_fit():
    assert winner({FITTED: trial(1.0, 1.0, 90.0), "karras": trial(1.1, 1.1, 0.5)}, STEPS) == FITTED


def test_a_tie_leaves_the_fit():
    assert winner({"karras": trial(1.0, 2.0), FITTED: trial(1.0, 2.0)}, STEPS) == FITTED


def test_without_a_fit_the_best_host_wins():
    assert winner({"karras": trial(1.0, 9.0), "simple": trial(2.0, 2.0)}, STEPS) == "simple"


def test_a_host_that_is_a_little_better_on_two_rows_is_not_shown_to_be_better():
    assert winner({FITTED: trial(1.0, 1.0), "karras": trial(0.9, 0.95)}, STEPS, "sigmasmith_multistep") == FITTED
    assert winner({FITTED: trial(1.0, 1.0), "karras": trial(0.3, 0.2)}, STEPS, "sigmasmith_multistep") == "karras"


def test_the_family_needs_no_more_than_the_smaller_error():
    assert winner({FITTED: trial(1.0, 1.0), FAMILY: trial(0.9, 0.95)}, STEPS, "sigmasmith_multistep") == FAMILY
