"""Edits of the guidance that a fit of before still serves: how far, before anything is lost to a fit anew.

python -P -m sigmasmith.benchmarks edits

For every change of the guidance: error of the old fit over that of a fit at the new guidance, and best host schedule
(in hindsight, with dpmpp_2m) over the old fit, geometric means over the bundled models and step counts, and the worst
case of either. Error: RMSE to a converged solution on noises that no fit has seen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from ...cli.subjects import available_demos, demo_subject
from ...schedules.fitting.calibration import Calibration
from ...schedules.samplers.fitted import NAME
from ..asked import average
from ..cases import case_of, host_lists
from . import study_parser

STEPS, GUIDANCE = (6, 10), 3.0
# Few steps are held against it: the error of so many levels is far below theirs.
REFERENCE_LEVELS = 96
CHANGES = (1.1, 1.5, 1.25, 1.05)


def losses(name: str, change: float, old: Calibration, noises: int, effort: str) -> list[tuple[float, float]]:
    """For every step count: error of the old fit over a new one's, and of the best host schedule over the old fit's."""
    subject = demo_subject(name, GUIDANCE * change)
    new = subject.fit(subject.noise(16, 0), NAME, STEPS, effort=effort)
    case, rows = case_of(subject, noises, REFERENCE_LEVELS), list[tuple[float, float]]()
    for steps in STEPS:
        before, anew = (case.error(fit.sigmas(steps), fit.sampler_function()) for fit in (old, new))
        host = min(case.error(sigmas) for sigmas in host_lists(subject, steps).values())
        rows.append((before / anew, host / before))
    return rows


def main(argv: Sequence[str]) -> int:
    """Print the table; returns the exit status."""
    parser = study_parser("edits", __doc__)
    parser.add_argument("--noises", type=int, default=24, help="held-out noises (default 24)")
    parser.add_argument("--effort", default="quick", help="of the fits (default quick)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    start = time.perf_counter()
    fits: dict[str, Calibration] = {}
    for name in available_demos():
        subject = demo_subject(name, GUIDANCE)
        fits[name] = subject.fit(subject.noise(16, 0), NAME, STEPS, effort=args.effort)
    print(f"guidance {GUIDANCE:g} edited; old fit / new fit (worst), best host / old fit (worst)")
    for change in CHANGES:
        cells = [cell for name, fit in fits.items() for cell in losses(name, change, fit, args.noises, args.effort)]
        lost, gained = zip(*cells)
        worst = f"({max(lost):5.3f})   {average(gained):5.2f} ({min(gained):5.2f})"
        print(f"{change - 1.0:6.0%}   {average(lost):5.3f} {worst}", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0
