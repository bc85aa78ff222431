"""Fits that start from a family which has not seen the model: true gains beside those that are claimed.

    python -P -m sigmasmith.benchmarks default --family FILE --models glyphs_eps@3 --steps 5 10 --seeds 5

Without FILE the family that is shipped, which has seen the models of the zoo.

(a) and (b) as in judge.py, on 32 noises that no fit has seen; the claim is the report's, over the best host schedule
that the fit compared, and *true* the same ratio on those noises.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.core.metrics import Ratio
from ...schedules.family.learned import Family
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.settings import Cost, Sampling, Searching, samplers_by_name
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.fitted import NAME
from ..asked import average
from .choose import host_errors, typical_error
from .data_file import read_family
from .judge import LEVELS, SEED, deterministic_samplers, training_of
from .subjects import Rows, Training

_ROWS = 32


@dataclass(frozen=True)
class FitVerdict:
    """One fit.

    Args:
        calls: model calls in all, rows counted.
        own, best: ratios (a) and (b).
        claim: of the report; None where a host's schedule was returned.
        true: what the claim is about.
    """

    model: str
    steps: int
    seed: int
    calls: int
    own: float
    best: float
    claim: Ratio | None
    true: float

    def line(self) -> str:
        claimed = "a host's returned"
        if self.claim is not None:
            claimed = f"{self.claim.mean:5.2f} ({self.claim.low:.2f} to {self.claim.high:.2f})"
        fit = f"{self.model:<42} {self.steps:>3} {self.seed:>3} {self.calls:>6}"
        return f"{fit}   {self.own:6.2f} {self.best:6.2f}   {claimed}, true {self.true:.2f}"


def fit_verdicts(
    family: Family | None,
    which: Training,
    steps: Sequence[int],
    effort: str,
    noises: int,
    seeds: int,
    sampler: str = NAME,
    calls: int | None = None,
) -> Iterator[FitVerdict]:
    """One for each step count and seed."""
    known = Rows(which, _ROWS, SEED, LEVELS)
    limits = known.sigma_range
    for count in steps:
        hosts = host_errors(known, count, deterministic_samplers(limits))
        own = {name: typical_error(errors) for (sampler, name), errors in hosts.items() if sampler == "dpmpp_2m"}
        best_of_all = min(map(typical_error, hosts.values()))
        for seed in range(seeds):
            fit = fit_on(known.subject, which.guidance, family, count, effort, noises, seed, sampler, calls)
            error, row = typical_error(known.errors(ends_of(known, fit, count))), fit.report.rows[count]
            rival = own.get(row.best_host or "", min(own.values()))
            yield FitVerdict(
                which.key,
                count,
                seed,
                fit.calls,
                min(own.values()) / error,
                best_of_all / error,
                row.gain,
                rival / error,
            )


def fit_on(
    subject: PlainSubject,
    guidance: float,
    family: Family | None,
    steps: int,
    effort: str = "fast",
    noises: int = 24,
    seed: int = 0,
    sampler: str = NAME,
    calls: int | None = None,
    method: str = "gauss_newton",
) -> Calibration:
    """One fit that starts from a family, on noises that judge nothing else."""
    limits, noise = subject.sigma_range, subject.noise(noises, 20_000 + 100 * seed)
    args = subject.extra_args(noises)
    run = DirectRun(subject.denoiser, noise * limits.sigma_max, args, limits.sigma_max, None, limits.flow)
    run.splits = True
    return solve_schedules(
        run,
        noise,
        Sampling(limits, samplers_by_name(sampler), (steps,), guidance=guidance),
        Searching(host_schedules(limits), effort, method, family=family),
        Cost(calls=calls),
    )


def ends_of(known: Rows, fit: Calibration, steps: int) -> Tensor:
    """(rows, ...) end states of a fit's own run."""
    sigmas = fit.schedules[steps]
    start = known.start * (float(sigmas[0]) / known.sigma_range.sigma_max)
    return known.subject.end_states(start, fit.sampler_function(), sigmas)


def summary(judged: Sequence[FitVerdict]) -> Iterator[str]:
    """Averages, worst cases, and how well claims hold."""
    for name in ("own", "best"):
        values = [getattr(verdict, name) for verdict in judged]
        below = sum(value < 1.0 for value in values) / len(values)
        letter = "a" if name == "own" else "b"
        yield f"({letter}) average {average(values):.2f}, worst {min(values):.2f}, below 1 in {100 * below:.0f} %"
    claims = [(verdict.claim, verdict.true) for verdict in judged if verdict.claim is not None]
    ratios = [claim.mean / true for claim, true in claims]
    held = sum(claim.low <= true <= claim.high for claim, true in claims)
    if claims:
        yield (
            f"claimed / true: average {average(ratios):.2f}, most {max(ratios):.2f}; "
            f"the 90 % interval holds in {100 * held / len(claims):.0f} % of {len(claims)}"
        )
    yield f"calls in all: most {max(verdict.calls for verdict in judged)}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", type=Path)
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--sampler", default=NAME)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--calls", type=int, help="in all, in the effort's place")
    parser.add_argument("--noises", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = None if args.family is None else read_family(args.family)
    judged: list[FitVerdict] = []
    for which in args.models:
        asked = args.steps, args.effort, args.noises, args.seeds, args.sampler, args.calls
        for verdict in fit_verdicts(family, which, *asked):
            print(verdict.line(), flush=True)
            judged.append(verdict)
    print(*summary(judged), sep="\n")


if __name__ == "__main__":
    main()
