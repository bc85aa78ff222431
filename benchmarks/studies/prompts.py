"""Fits on unseen prompts: a schedule fitted on half of a model's classes, judged on the other half.

python -P -m sigmasmith.benchmarks prompts

Best host schedule over fitted, by step count: on the classes that were fitted and on those that were not, both on
noises that no fit has seen, and on the unseen classes for a fit that saw them. Best host: in hindsight, so the ratio is
the least that a fit gains. Error: RMSE to a converged solution, geometric mean over samples.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject, available_demos, demo_subject
from ..cases import GUIDANCES, SAMPLER, case_of, host_lists
from . import study_parser

STEPS = (5, 8, 10)


@dataclass(frozen=True)
class PromptedSubject(PlainSubject):
    """A model whose rows go through some of its classes in turn."""

    labels: tuple[int, ...]

    def extra_args(self, rows: int) -> dict[str, Any]:
        labels = torch.tensor([self.labels[row % len(self.labels)] for row in range(rows)])
        return super().extra_args(rows) | {"labels": labels}


def prompted(subject: PlainSubject, labels: Sequence[int]) -> PromptedSubject:
    """The same model on these classes."""
    given = {field.name: getattr(subject, field.name) for field in fields(PlainSubject)}
    return PromptedSubject(**given, labels=tuple(labels))


def gains(subject: PlainSubject, lists: Sequence[dict[int, Tensor]], noises: int) -> list[list[float]]:
    """For every step count: best host error over that of each of the sigma lists, on held-out noises."""
    case, rows = case_of(subject, noises), []
    for steps in STEPS:
        best = min(case.error(sigmas) for sigmas in host_lists(subject, steps).values())
        rows.append([best / case.error(schedules[steps]) for schedules in lists])
    return rows


def fitted(subject: PlainSubject, noises: int) -> dict[int, Tensor]:
    """steps -> sigmas of a fit on this subject."""
    calibration = subject.fit(subject.noise(noises, 0), SAMPLER, STEPS, effort="fast")
    return {steps: calibration.sigmas(steps) for steps in STEPS}


def main(argv: Sequence[str]) -> int:
    """Print the table; returns the exit status."""
    parser = study_parser("prompts", __doc__)
    parser.add_argument("--noises", type=int, default=64, help="held-out noises (default 64)")
    parser.add_argument("--calibration", type=int, default=16, help="noises of the fits (default 16)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    start = time.perf_counter()
    print("best host / fitted on: classes of the fit, unseen classes, those classes by a fit that saw them")
    for name in available_demos():
        for cfg in GUIDANCES:
            whole = demo_subject(name, cfg)
            seen, unseen = (prompted(whole, range(half, whole.classes, 2)) for half in (0, 1))
            ours, theirs = fitted(seen, args.calibration), fitted(unseen, args.calibration)
            table = zip(STEPS, gains(seen, [ours], args.noises), gains(unseen, [ours, theirs], args.noises))
            for steps, (known,), (new, own) in table:
                print(f"{name:12s} cfg {cfg:g} {steps:3d} steps {known:8.2f} {new:8.2f} {own:8.2f}", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0
