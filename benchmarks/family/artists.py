"""The family without a model call beside what artists set, and whether it shifts the look of pictures.

    python -P -m sigmasmith.benchmarks.family.artists FILE --models glyphs_flow@3 --steps 5 8 10

First: how many of the cases, each a pair of host sampler and schedule at 2N steps (noise prediction: 1.5N), the family
at N steps ends as near in. Then, for each model and step count, by how much mean brightness, contrast (standard
deviation) and energy in fine detail differ from the teacher's over all pictures, in percent, beside the best stock
schedule of `dpmpp_2m`. Last the gain over that schedule with outputs rounded as low-precision weights round them, as a
share of the gain without.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...schedules.core.frequencies import fine_part
from ...schedules.family.learned import Family
from ...schedules.family.placing import whole_hundredths
from ...schedules.family.schedule import family_coefficients, family_sigmas
from ...schedules.family.typical import typical_scale
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ...schedules.samplers.loop import sample_linear
from ..field.host_samplers import host_samplers
from ..promises.rounding import ROUNDINGS, rounded
from ..zoo.members import MEMBERS
from .choose import typical_error
from .data_file import read_family
from .judge import LEVELS, SEED, training_of
from .subjects import Rows, Training

_ROWS = 48
_PAIRS = (("euler", "simple"), ("dpmpp_2m", "karras"), ("res_multistep", "beta"), ("uni_pc", "simple"))
_FACTORS = {True: 2.0, False: 1.5}


def family_ends(family: Family, rows: Rows, steps: int) -> Tensor:
    """(rows, ...) ends of the family where it serves models of this range."""
    limits = rows.sigma_range
    sigmas = family_sigmas(family, steps, *whole_hundredths(*typical_scale(family, limits)), limits)
    table = family_coefficients(family, sigmas, rows.which.guidance, flow=limits.flow)
    assert table is not None
    return rows.subject.end_states(rows.start, partial(sample_linear, coefficients=table), sigmas)


def pairs_reached(family: Family, rows: Rows, steps: int) -> Iterator[tuple[str, float]]:
    """(pair, how many times nearer the family ends than it with more steps)."""
    own, hosts = typical_error(rows.errors(family_ends(family, rows, steps))), host_schedules(rows.sigma_range)
    samplers = host_samplers(rows.sigma_range)
    for sampler, schedule in _PAIRS:
        sigmas = samplers[sampler].sigmas(hosts[schedule], round(_FACTORS[rows.sigma_range.flow] * steps))
        assert sigmas is not None
        start = rows.start * (float(sigmas[0]) / rows.sigma_range.sigma_max)
        ends = rows.subject.end_states(start, samplers[sampler].run, sigmas)
        yield f"{sampler} + {schedule}", typical_error(rows.errors(ends)) / own


def look(ends: Tensor, teacher: Tensor) -> tuple[float, float, float]:
    """Percent by which mean, standard deviation and energy in fine detail differ; the mean of the deviation."""
    spread = float(teacher.std())
    mean = 100.0 * float(ends.mean() - teacher.mean()) / spread
    contrast = 100.0 * (float(ends.std()) / spread - 1.0)
    detail = 100.0 * (float(fine_part(ends).square().mean() / fine_part(teacher).square().mean()) ** 0.5 - 1.0)
    return mean, contrast, detail


def best_stock(rows: Rows, steps: int) -> Tensor:
    """Ends of `dpmpp_2m` on the host schedule that is best for it in hindsight."""
    ends = []
    for schedule in host_schedules(rows.sigma_range).values():
        sigmas = schedule(steps)
        start = rows.start * (float(sigmas[0]) / rows.sigma_range.sigma_max)
        ends.append(rows.subject.end_states(start, own_sampler("dpmpp_2m"), sigmas))
    return min(ends, key=lambda one: typical_error(rows.errors(one)))


def rounded_rows(which: Training, rounding: str) -> Rows:
    """Rows whose model hands over rounded outputs; the teacher's ends are the exact model's."""
    rows = Rows(which, _ROWS, SEED, LEVELS)
    prediction = None if which.flow else MEMBERS[which.member].prediction
    rows.subject = replace(rows.subject, denoiser=rounded(rows.subject.denoiser, rounding, prediction))
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 8, 10])
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = read_family(args.file)
    reached: list[float] = []
    for which in args.models:
        exact = Rows(which, _ROWS, SEED, LEVELS)
        for steps in args.steps:
            ratios = dict(pairs_reached(family, exact, steps))
            reached += ratios.values()
            print(f"{which.key:<42} {steps:>3}  " + ", ".join(f"{pair} {ratio:.2f}" for pair, ratio in ratios.items()))
            both = family_ends(family, exact, steps), best_stock(exact, steps)
            own, stock = (_percents(look(ends, exact.end)) for ends in both)
            print(f"      brightness, contrast, detail: family {own}; best stock {stock}")
            gains = []
            for rounding in ROUNDINGS:
                rows = rounded_rows(which, rounding)
                errors = [rows.errors(ends) for ends in (best_stock(rows, steps), family_ends(family, rows, steps))]
                gains.append(typical_error(errors[0]) / typical_error(errors[1]))
            shares = ", ".join(f"{name} {gain / gains[0]:.2f}" for name, gain in zip(ROUNDINGS, gains))
            print(f"      share of the gain that stays: {shares}", flush=True)
    near = sum(ratio >= 1.0 for ratio in reached)
    print(f"as near as the pair with more steps in {near} of {len(reached)} cases")


def _percents(values: Sequence[float]) -> str:
    return " / ".join(f"{value:+.1f} %" for value in values)


if __name__ == "__main__":
    main()
