"""Error over model calls in all: fits within a budget, the best host schedule by a race, the published OSS search.

python -P -m sigmasmith.benchmarks calls --models glyphs_flow@3 --family FILE --out out/calls.png

What every method returns for so many calls (rows counted) is run on 32 noises that none has seen; the figure is the
error of `dpmpp_2m` on the host schedule that is best there in hindsight over that error, as (a) of `default`. The race
alone runs `dpmpp_2m` on every host schedule and keeps the nearest to a reference of 24 levels; OSS is the search of
Optimal Stepsize as published, run for `dpmpp_2m`. Geometric averages over models and seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...schedules.family.learned import Family
from ...schedules.samplers.by_name import own_sampler
from ...schedules.samplers.fitted import NAME
from ..asked import average
from ..cases import host_lists
from ..family.choose import host_errors, typical_error
from ..family.data_file import read_family
from ..family.fits import ends_of, fit_on
from ..family.judge import LEVELS, SEED, training_of
from ..family.subjects import Rows, Training
from . import study_parser

_BUDGETS = (300, 500, 700, 1_300, 3_000, 5_000, 10_000)
_ROWS, _REFERENCE, _HOST_SAMPLER = 32, 24, "dpmpp_2m"
_RACED, _SEARCHED = (1, 2, 4, 8, 16, 32, 64), (3, 8, 16)
OURS, HOST, OSS = "Sigmasmith", "best host schedule by a race", "Optimal Stepsize, published"


@dataclass(frozen=True)
class Point:
    """A method's gain for so many calls in all, those of the budget where it has one."""

    method: str
    budget: int
    calls: int
    gain: float


class CallsCase:
    """One model at one step count."""

    def __init__(self, which: Training, steps: int, family: Family | None) -> None:
        self.which, self.steps, self.family = which, steps, family
        self.known = Rows(which, _ROWS, SEED, LEVELS)
        errors = host_errors(self.known, steps, {_HOST_SAMPLER: own_sampler(_HOST_SAMPLER)})
        self.hosts = {name: typical_error(rows) for (_, name), rows in errors.items()}

    def points(
        self,
        seed: int,
        budgets: Sequence[int] = _BUDGETS,
        raced: Sequence[int] = _RACED,
        searched: Sequence[int] = _SEARCHED,
    ) -> Iterator[Point]:
        """One for each budget, and for each number of rows of the race and of OSS."""
        least = min(self.hosts.values())
        for budget in budgets:
            if budget >= 150 + 30 * self.steps:
                calls, error = self._fitted(seed, NAME, budget, "gauss_newton", 24)
                yield Point(OURS, budget, calls, least / error)
        for rows in raced:
            calls, name = self._raced(seed, rows)
            yield Point(HOST, rows, calls, least / self.hosts[name])
        for rows in searched:
            calls, error = self._fitted(seed, _HOST_SAMPLER, None, "oss", rows)
            yield Point(OSS, rows, calls, least / error)

    def _fitted(self, seed: int, sampler: str, budget: int | None, method: str, rows: int) -> tuple[int, float]:
        subject = self.known.subject
        fit = fit_on(subject, self.which.guidance, self.family, self.steps, "fast", rows, seed, sampler, budget, method)
        return fit.calls, typical_error(self.known.errors(ends_of(self.known, fit, self.steps)))

    def _raced(self, seed: int, rows: int) -> tuple[int, str]:
        """(calls, the host schedule that is nearest on so many rows)."""
        subject = self.known.subject
        noise, sampler = subject.noise(rows, 20_000 + 100 * seed), own_sampler(_HOST_SAMPLER)
        ends = subject.teacher_ends(noise * subject.sigma_range.sigma_max, _REFERENCE)
        errors = {}
        for name, sigmas in host_lists(subject, self.steps).items():
            reached = subject.end_states(noise * float(sigmas[0]), sampler, sigmas)
            errors[name] = typical_error((reached - ends).flatten(1).double().square().mean(1).sqrt().numpy())
        return rows * (_REFERENCE + self.steps * len(errors)), min(errors, key=errors.__getitem__)


def averaged(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """method -> (mean calls, geometric mean gain) by budget."""
    groups: dict[tuple[str, int], list[Point]] = defaultdict(list)
    for point in points:
        groups[point.method, point.budget].append(point)
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (method, _), group in sorted(groups.items()):
        calls = float(np.mean([point.calls for point in group]))
        curves[method].append((calls, average([point.gain for point in group])))
    return curves


def draw(curves: dict[str, list[tuple[float, float]]], path: Path, steps: int) -> None:
    """Gain over calls, both on log axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for method, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), marker="o", label=method)
    axes.axhline(1.0, color="grey", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="model calls in all", ylabel="times nearer than the best host schedule")
    for axis in (axes.xaxis, axes.yaxis):  # plain numbers, no powers of ten
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter("{x:,.10g}" if axis is axes.yaxis else "")
    axes.set_title(f"{steps} steps: what a fit is worth for its calls")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(argv: Sequence[str]) -> int:
    """Print the curves, and draw them; returns the exit status."""
    parser = study_parser("calls", __doc__)
    parser.add_argument("--family", type=Path, help="one that has not seen the models; without it the shipped one")
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = None if args.family is None else read_family(args.family)
    points: list[Point] = []
    for which in args.models:
        case = CallsCase(which, args.steps, family)
        for seed in range(args.seeds):
            for point in case.points(seed):
                print(f"{which.key:<42}{point.method:<32}{point.calls:>7} calls {point.gain:6.2f}", flush=True)
                points.append(point)
    curves = averaged(points)
    for method, curve in curves.items():
        print(f"{method:<32}" + "  ".join(f"{calls:.0f}: {gain:.2f}" for calls, gain in curve))
    if args.out is not None:
        draw(curves, args.out, args.steps)
    return 0
