"""Fits run at step counts that they were not fitted for, against the host's schedules there.

    python -P -m sigmasmith.benchmarks away

For every model and sampler, lists fitted for 10 steps, and for 5 and 10, extended to other counts: how many times
nearer they end than the host schedule that was best beside the fit, and than `simple`. Held-out noises.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...schedules.core.step_counts import StepCounts
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.settings import Sampling, Searching, samplers_by_name
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ..family.choose import typical_error
from ..family.judge import training_of
from ..family.subjects import Rows
from . import study_parser

MODELS = ("clipart16_eps@1", "glyphs_eps@3", "photographs16_flow@1", "lowercase16_flow@2")
COUNTS = (3, 5, 6, 8, 9, 10, 11, 12, 14, 20, 30)
_FITTED_FOR = ((10,), (5, 10))
_ROWS, _SEED, _LEVELS, _NOISES, _FIT_SEED = 16, 9_000, 64, 8, 777


def ratios(rows: Rows, sampler: str, fitted_for: Sequence[int], counts: Sequence[int]) -> list[tuple[float, float]]:
    """For every count (the best host schedule's error, that of `simple`) over the extended list's."""
    limits, function = rows.sigma_range, own_sampler(sampler)
    noise, offered = rows.subject.noise(_NOISES, _FIT_SEED), host_schedules(limits)
    args = rows.subject.extra_args(_NOISES)
    run = DirectRun(rows.subject.denoiser, noise * limits.sigma_max, args, limits.sigma_max, None, limits.flow)
    run.splits = True
    sampling = Sampling(limits, samplers_by_name(sampler), tuple(fitted_for), guidance=rows.which.guidance)
    fit = solve_schedules(run, noise, sampling, Searching(offered, "fast"))
    lists = StepCounts(fit.schedules, limits.sigma_min)

    def error(sigmas: Tensor) -> float:
        start = rows.start * (float(sigmas[0]) / limits.sigma_max)
        return typical_error(rows.errors(rows.subject.end_states(start, function, sigmas)))

    gains = []
    for count in counts:
        nearest = fit.report.rows[min(fitted_for, key=lambda known: abs(known - count))]
        own = error(lists.sigmas(count))
        hosts = [error(offered[name](count)) for name in (nearest.best_host or "simple", "simple")]
        gains.append((hosts[0] / own, hosts[1] / own))
    return gains


def main(argv: Sequence[str] | None = None) -> None:
    parser = study_parser("away", __doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--samplers", nargs="+", default=["dpmpp_2m", "euler"])
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for text in args.models:
        rows = Rows(training_of(text), _ROWS, _SEED, _LEVELS)
        for sampler in args.samplers:
            for fitted_for in _FITTED_FOR:
                cells = zip(COUNTS, ratios(rows, sampler, fitted_for, COUNTS))
                line = "  ".join(f"{count}: {best:.2f}/{simple:.2f}" for count, (best, simple) in cells)
                print(f"{text} {sampler}, fitted for {fitted_for}: {line}", flush=True)


if __name__ == "__main__":
    main()
