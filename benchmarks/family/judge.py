"""How a family does on models that it was not learned from.

    python -P -m sigmasmith.benchmarks.family.judge FILE --models clipart16_eps@1 photographs16_flow@1 --steps 5 8 10

Ratios of errors (geometric means over held-out noises): (a) to `dpmpp_2m` on the host schedule best in hindsight,
(b) to the best of all host schedules and deterministic samplers of one call a step in hindsight. `no call` runs the
file's own typical scale and stretch; `race 4` those that are best on 4 of the noises, with a prior; the last column
the best in hindsight.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.types import SamplerFunction
from ...schedules.family.learned import Family
from ...schedules.family.typical import shift_factor, typical_scale
from ..asked import average
from ..field.host_samplers import host_samplers
from ..zoo.members import MEMBERS
from .choose import SCALES, Pair, PairErrors, family_errors, host_errors, typical_error
from .data_file import read_family
from .subjects import Rows, Training

ROWS, SEED, LEVELS = 64, 9_000, 64
# Stretches of a race, which four noises tell apart.
_STRETCHES = (0.9, 1.0, 1.1, 1.25)
# The prior of a race: what a pair costs for each spread that it lies from the typical one, in log error.
_PRIOR = 0.015


@dataclass(frozen=True)
class FamilyVerdict:
    """Ratios of one model at one step count; above 1 the family is nearer."""

    model: str
    steps: int
    no_call: float
    race: float
    hindsight: float
    pair: Pair
    hosts_by_all: float  # error of dpmpp_2m's best over that of the best host pair, 1 and above

    def line(self) -> str:
        columns = [
            f"{self.model:<42} {self.steps:>3}",
            f"{self.no_call:6.2f} {self.race:6.2f} {self.hindsight:6.2f}",
            f"{self.no_call / self.hosts_by_all:6.2f} {self.race / self.hosts_by_all:6.2f}",
            f"{self.pair[0]:5.2f} {self.pair[1]:5.2f}",
        ]
        return "   ".join(columns)


HEADER = f"{'model':<42} {'N':>3}  (a) no call, race 4, hindsight   (b) no call, race   scale, stretch in hindsight"


def verdicts(family: Family, which: Training, steps: Sequence[int], rows: int = ROWS) -> Iterator[FamilyVerdict]:
    """One for each step count."""
    known = Rows(which, rows, SEED, LEVELS)
    usual = typical_scale(family, known.sigma_range)
    usual = usual[0] / shift_factor(known.sigma_range), usual[1]
    pairs = [*product(SCALES, _STRETCHES), usual]
    for count in steps:
        hosts = host_errors(known, count, deterministic_samplers(known.sigma_range))
        own = {key: errors for key, errors in hosts.items() if key[0] == "dpmpp_2m"}
        best, best_of_all = (min(map(typical_error, group.values())) for group in (own, hosts))
        errors = {pair: family_errors(family, known, count, pair) for pair in pairs}
        cell = PairErrors(np.array([best]), errors)
        raced, hindsight = raced_pair(family, cell, usual), max(pairs, key=cell.ratio)
        no_call, race, most = (cell.ratio(pair) for pair in (usual, raced, hindsight))
        yield FamilyVerdict(which.key, count, no_call, race, most, hindsight, best / best_of_all)


def deterministic_samplers(sigma_range: SigmaRange) -> dict[str, SamplerFunction]:
    """The hosts' samplers of one call a step that take a list as it is."""
    return {
        name: sampler.run
        for name, sampler in host_samplers(sigma_range).items()
        if sampler.calls(10) == 10 and not sampler.drops_penultimate
    }


def raced_pair(family: Family, cell: PairErrors, usual: Pair, rows: int = 4) -> Pair:
    """The pair that is best on the first rows, pulled towards the usual one."""

    def score(pair: Pair) -> float:
        away = np.array([math.log(pair[0] / usual[0]), pair[1] - usual[1]]) / family.spread
        return float(np.log(cell.family[pair][:rows]).mean()) + _PRIOR * float(np.square(away).sum())

    return min(cell.family, key=score)


def summary(judged: Sequence[FamilyVerdict]) -> Iterator[str]:
    """Averages, worst, and how often each form falls below 1, over verdicts."""
    for name in ("no_call", "race", "hindsight"):
        values = [getattr(verdict, name) for verdict in judged]
        below = sum(value < 0.95 for value in values) / len(values)
        yield f"{name:<10} average {average(values):.2f}, worst {min(values):.2f}, below .95 in {100 * below:.0f} %"


def training_of(text: str) -> Training:
    """MEMBER@GUIDANCE, with /ve or /flow behind it for the other noise space."""
    name, _, rest = text.partition("@")
    guidance, _, space = rest.partition("/")
    flow = MEMBERS[name].range.flow if not space else space == "flow"
    return Training(name, float(guidance or 1.0), flow)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 8, 10, 20])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--scale", type=float, help="instead of the file's typical scale")
    parser.add_argument("--stretch", type=float, default=1.05)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = read_family(args.file)
    if args.scale is not None:
        family = replace(family, typical=dict.fromkeys(("ve", "wide", "flow"), (args.scale, args.stretch)))
    print(HEADER)
    judged: list[FamilyVerdict] = []
    for which in args.models:
        for verdict in verdicts(family, which, args.steps, args.rows):
            print(verdict.line(), flush=True)
            judged.append(verdict)
    print(*summary(judged), sep="\n")


if __name__ == "__main__":
    main()
