"""The study of unseen prompts: rows take the classes given, and the fit's own schedule is what is judged."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.cases import host_lists
from sigmasmith.benchmarks.studies.prompts import STEPS, gains, prompted
from sigmasmith.cli.subjects import demo_subject


def test_rows_go_through_the_classes_given():
    subject = prompted(demo_subject("digits_eps", 3.0), (1, 3))
    args = subject.extra_args(5)
    assert args["labels"].tolist() == [1, 3, 1, 3, 1]
    assert args["cfg"] == 3.0
    assert subject.noise(2, 0).shape == (2, 1, 8, 8)


@pytest.mark.slow
def test_the_best_host_schedule_gains_nothing_over_itself():
    subject = prompted(demo_subject("digits_flow"), (0, 5))
    every = host_lists(subject, 5)
    rows = gains(subject, [{steps: host_lists(subject, steps)[name] for steps in STEPS} for name in every], 4)
    assert max(rows[0]) == 1.0
    assert min(rows[0]) > 0.0
    assert torch.isfinite(torch.tensor(rows)).all()
