"""A look that is no RMSE: five fitted steps beside five, ten and twenty of the best stock pair, by a classifier.

python -P -m sigmasmith.benchmarks look --models glyphs_flow@3 --family FILE --out out/look

The stock pair is the sampler and schedule of the hosts that end nearest at that step count, in hindsight. Printed for
each: RMSE to the converged end (geometric mean), share of samples in the class of the converged one, and the Frechet
distance of a classifier's features, by a classifier that no sampler and no fit has seen. With --out also a sheet, a row
each, the converged samples on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...demo.models.weights import load_classifier
from ...schedules.family.learned import Family
from ..cases import host_lists
from ..family.choose import host_errors, typical_error
from ..family.data_file import read_family
from ..family.fits import ends_of, fit_on
from ..family.judge import LEVELS, deterministic_samplers, training_of
from ..family.subjects import Rows, Training
from ..field.judge import Judge
from ..zoo.sheet import write_sheet
from . import study_parser

_SEED, _SHOWN = 9_000, 8
_STEPS, _STOCK = 5, (5, 10, 20)


def best_stock_ends(known: Rows, steps: int) -> tuple[str, Tensor]:
    """The pair that ends nearest at a step count, and its end states (rows, ...)."""
    samplers = deterministic_samplers(known.sigma_range)
    errors = host_errors(known, steps, samplers)
    sampler, schedule = min(errors, key=lambda pair: typical_error(errors[pair]))
    sigmas = host_lists(known.subject, steps)[schedule]
    start = known.start * (float(sigmas[0]) / known.sigma_range.sigma_max)
    return f"{sampler} + {schedule}", known.subject.end_states(start, samplers[sampler], sigmas)


def looked_at(which: Training, family: Family | None, out: Path | None, rows: int) -> None:
    """Print one model's rows, and draw its sheet."""
    known = Rows(which, rows, _SEED, LEVELS)
    judge = Judge(known.end, known.end, load_classifier(which.member.partition("_")[0]))
    fit = fit_on(known.subject, which.guidance, family, _STEPS)
    ends = {f"{_STEPS:>2} steps, fitted": ends_of(known, fit, _STEPS)}
    for steps in _STOCK:
        pair, reached = best_stock_ends(known, steps)
        ends[f"{steps:>2} steps, {pair}"] = reached
    print(f"{which.key}\n{'':<42} error   same class   distance of features")
    for name, reached in ends.items():
        said = judge(reached)
        print(f"{name:<42}{said.error:7.4f} {100 * said.agreement:9.1f} % {said.distance:12.3f}", flush=True)
    if out is not None:
        shown = [known.end[:_SHOWN], *(reached[:_SHOWN] for reached in ends.values())]
        write_sheet(torch.cat(shown), out / f"{which.member}_{which.guidance:g}.png", columns=_SHOWN)


def main(argv: Sequence[str]) -> int:
    """Print a table for every model; returns the exit status."""
    parser = study_parser("look", __doc__)
    parser.add_argument("--family", type=Path, help="one that has not seen the models; without it the shipped one")
    parser.add_argument("--models", nargs="+", type=training_of, required=True, help="with a bundled classifier")
    parser.add_argument("--rows", type=int, default=256, help="noises that are judged (default 256)")
    parser.add_argument("--out", type=Path, help="folder for the sheets")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = None if args.family is None else read_family(args.family)
    for which in args.models:
        looked_at(which, family, args.out, args.rows)
    return 0
