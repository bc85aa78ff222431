"""Host samplers under the family's list: how many times nearer than under the better of `simple` and `karras`.

    python -P -m sigmasmith.benchmarks.family.under --models clipart16_eps@1 glyphs_flow@3
    python -P -m sigmasmith.benchmarks.family.under FILE --models glyphs_eps@3          of another data file

The list is made for sigmasmith_multistep. On noise prediction a host's dropdown gives it to every sampler; on flow
models, where others lose by it, to that one alone, and where the sampler is not told. `uni_pc` stands as the host runs
it, which asks one step more and drops the last level but one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...schedules.family.learned import Family
from ...schedules.family.placing import whole_hundredths
from ...schedules.family.schedule import family_sigmas
from ...schedules.family.typical import typical_scale
from ...schedules.hosts.schedules import host_schedules
from ..asked import average
from ..field.host_samplers import FieldSampler, host_samplers
from .choose import typical_error
from .data_file import DATA_FILE, read_family
from .judge import LEVELS, SEED, training_of
from .subjects import Rows, Training

SAMPLERS = ("euler", "dpmpp_2m", "res_multistep", "deis", "ipndm", "uni_pc")
_STOCK = ("simple", "karras")
_ROWS = 16


def gains(family: Family, which: Training, steps: int, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """(sampler, how many times nearer it ends under the family's list than under the better stock one)."""
    rows = Rows(which, _ROWS, SEED, LEVELS)
    place = whole_hundredths(*typical_scale(family, rows.sigma_range))
    offered, samplers = host_schedules(rows.sigma_range), host_samplers(rows.sigma_range)

    def error(sampler: FieldSampler, schedule: str | None) -> float:
        def listed(count: int) -> Tensor:
            return offered[schedule](count) if schedule else family_sigmas(family, count, *place, rows.sigma_range)

        sigmas = sampler.sigmas(listed, steps)
        assert sigmas is not None
        start = rows.start * (float(sigmas[0]) / rows.sigma_range.sigma_max)
        return typical_error(rows.errors(rows.subject.end_states(start, sampler.run, sigmas)))

    for name in names:
        stock = min(error(samplers[name], schedule) for schedule in _STOCK)
        yield name, stock / error(samplers[name], None)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=DATA_FILE)
    parser.add_argument("--models", nargs="+", type=training_of, required=True)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 8, 10, 20])
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = read_family(args.file)
    by_sampler: dict[str, list[float]] = {name: [] for name in args.samplers}
    for which in args.models:
        for steps in args.steps:
            told = dict(gains(family, which, steps, args.samplers))
            print(f"{which.key:<42} {steps:>3}  " + "  ".join(f"{name} {gain:.2f}" for name, gain in told.items()))
            for name, gain in told.items():
                by_sampler[name].append(gain)
    for name, values in by_sampler.items():
        print(f"{name:<14} average {average(values):.2f}, worst {min(values):.2f}")


if __name__ == "__main__":
    main()
