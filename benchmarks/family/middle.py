"""The family in runs that start in the middle: denoise below 1, detailers, hires passes, start_at_step.

    python -P -m sigmasmith.benchmarks.family.middle FILE --models glyphs_flow@3 clipart16_eps@1

From images that no run made, noised to the level at which the family's list of N steps stands after so many of them.
How many times nearer the rest of that list ends, by the family's coefficients without history, than `dpmpp_2m` on the
same levels, and than `dpmpp_2m` on `karras` and `simple` cut at that level, as many steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.core.types import SamplerFunction
from ...schedules.family.learned import Family
from ...schedules.family.placing import whole_hundredths
from ...schedules.family.schedule import family_coefficients, family_sigmas
from ...schedules.family.typical import typical_scale
from ...schedules.samplers.by_name import own_sampler
from ...schedules.samplers.loop import sample_linear
from ..asked import average
from ..promises.figures import host_cuts, noised
from .choose import typical_error
from .data_file import read_family
from .judge import SEED, training_of
from .subjects import Rows, Training

# (steps of the whole list, step that the run starts with).
STARTS = ((20, 8), (20, 12), (20, 15), (10, 3), (10, 6))
_ROWS, _LEVELS = 12, 48
_STOCK = ("karras", "simple")


def gains(family: Family, which: Training) -> list[tuple[str, dict[str, float]]]:
    """[("20 steps from step 8, sigma .6, error .0007", what it is held against -> how many times nearer it ends)]."""
    rows = Rows(which, _ROWS, SEED, _LEVELS)
    subject, limits = rows.subject, rows.sigma_range
    place, told = whole_hundredths(*typical_scale(family, limits)), []
    two = own_sampler("dpmpp_2m")
    for steps, first in STARTS:
        sigmas = family_sigmas(family, steps, *place, limits)
        table = family_coefficients(family, sigmas, which.guidance, flow=limits.flow, first=first)
        assert table is not None
        sigma, rest = float(sigmas[first]), sigmas[first:]
        x = noised(subject, rows.end, sigma)
        end = subject.teacher_ends(x, _LEVELS, sigma=sigma)

        error = partial(_error, subject, x, end)
        own = error(partial(sample_linear, coefficients=table), rest)
        cuts = host_cuts(limits, steps - first, sigma)
        against = {"dpmpp_2m on it": error(two, rest) / own}
        for name in _STOCK:
            against[name] = min(error(two, cut) for key, cut in cuts.items() if key.startswith(f"{name} (")) / own
        told.append((f"{steps} steps from step {first}, sigma {sigma:.2f}, error {own:.4f}", against))
    return told


def _error(subject: PlainSubject, x: Tensor, end: Tensor, sampler: SamplerFunction, sigmas: Tensor) -> float:
    ends = subject.end_states(x, sampler, sigmas)
    return typical_error((ends - end).flatten(1).double().square().mean(1).sqrt().numpy())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="the family's data")
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = read_family(args.file)
    columns: dict[str, list[float]] = {}
    for which in args.models:
        for start, against in gains(family, which):
            print(f"{which.key:<42} {start:<50}" + ", ".join(f"{name} {gain:.2f}" for name, gain in against.items()))
            for name, gain in against.items():
                columns.setdefault(name, []).append(gain)
    for name, values in columns.items():
        print(f"{name:<16} average {average(values):.2f}, worst {min(values):.2f}")


if __name__ == "__main__":
    main()
