"""Adaptive sampling against k-diffusion's dpm_adaptive and against dpmpp_2m on the hosts' schedules.

python -P -m sigmasmith.benchmarks adaptive

1. Error of dpm_adaptive over a sweep of its rtol (atol in its default proportion, orders 2 and 3, a last model call
   that denoises), and of ours at exactly as many calls.
2. Error of dpmpp_2m on the best host schedule in hindsight, and of ours at exactly as many calls.
3. Tolerance asked for and error reached.
4. Frozen schedules of a pilot run of 4 other noises under dpmpp_2m, against the best host schedule.
5. Time per step beside the model's on a latent of 4 x 128 x 128, against dpmpp_2m's.

Error: RMSE to a converged solution from the same noise, geometric mean over noises. The bundled models with and without
guidance; two mixtures of Gaussians, noise prediction and flow, with and without guidance.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...cli.subjects import demo_subject
from ...schedules.adaptive.equidistribution import frozen_sigmas
from ...schedules.adaptive.pilot import run_pilot
from ...schedules.adaptive.report import AdaptiveReport
from ...schedules.adaptive.samplers import sample_sigmasmith_adaptive
from ...schedules.adaptive.settings import METHODS
from ...schedules.core.noise_space import SigmaRange
from ...schedules.fitting.direct import DirectRun
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ..analytic import power_law, random_mixture
from ..asked import average, verdict
from ..cases import CASES, HELD_OUT_SEED
from ..published.trajectory import CountedDenoiser, TooManyCallsError
from . import study_parser
from .case import StudyCase, measured_on

ROWS = 8
RTOLS = (0.01, 0.03, 0.1, 0.3, 1.0)
# dpm_adaptive's defaults are rtol 0.05 and atol 0.0078.
ATOL_SHARE = 0.0078 / 0.05
CALLS = (10, 80)
STEPS = (10, 20, 40)
TOLERANCES = (0.03, 0.003, 0.0003)
MIXTURES = {f"mixture_{kind}:{cfg}": (kind == "flow", float(cfg)) for kind in ("eps", "flow") for cfg in (1, 4)}


@dataclass(frozen=True)
class AdaptiveCase(StudyCase):
    """With start states of its own for a pilot run."""

    pilot_x: Tensor
    pilot_args: dict[str, Any]
    hosts: dict[int, tuple[str, float]] = field(default_factory=dict)

    def best_host(self, steps: int) -> tuple[str, float]:
        """Name and error of the host schedule with the smallest error under dpmpp_2m; measured once."""
        if steps not in self.hosts:
            made = {name: schedule(steps) for name, schedule in host_schedules(self.sigma_range).items()}
            errors = {name: self.dpmpp_2m(sigmas) for name, sigmas in made.items()}
            best = min(errors, key=lambda name: errors[name])
            self.hosts[steps] = best, errors[best]
        return self.hosts[steps]

    def adaptive(self, **settings: Any) -> tuple[float, AdaptiveReport]:
        """Error and report of a run of ours."""
        report = AdaptiveReport()
        given = {"extra_args": self.extra_args, "flow": self.sigma_range.flow, "report": report, **settings}
        ends = torch.tensor([self.sigma_range.sigma_max, self.sigma_range.sigma_min, 0.0])
        return self.error(sample_sigmasmith_adaptive(self.model, self.x, ends, **given)), report

    def dpmpp_2m(self, sigmas: Tensor) -> float:
        return self.error(own_sampler("dpmpp_2m")(self.model, self.x, sigmas, extra_args=self.extra_args))


def demo_case(key: str) -> AdaptiveCase:
    """A bundled model and guidance of benchmarks/cases.py."""
    subject = demo_subject(*CASES[key])
    pilot = subject.noise(4, 0) * subject.sigma_range.sigma_max
    return AdaptiveCase(key, **measured_on(subject, ROWS), pilot_x=pilot, pilot_args=subject.extra_args(4))


def mixture_case(key: str) -> AdaptiveCase:
    """A mixture in 96 dimensions, on the sigma range of SD 1.5 or of a flow of shift 3."""
    flow, cfg = MIXTURES[key]
    model = random_mixture(11, power_law(96, 1.3), modes=12, flow=flow, cfg=cfg)
    sigma_range = SigmaRange(0.003, 1.0, True) if flow else SigmaRange(0.0292, 14.6146)
    draw = torch.Generator().manual_seed(HELD_OUT_SEED)
    x, pilot = (sigma_range.sigma_max * torch.randn(rows, 96, generator=draw) for rows in (ROWS, 4))
    labels = torch.arange(ROWS) % 4
    ends = torch.tensor([sigma_range.sigma_max, sigma_range.sigma_min, 0.0])
    # Heun's method shares nothing with what is compared; 300 steps are converged to far below any error here.
    grid = sigma_range.sigma_max * (sigma_range.sigma_min / sigma_range.sigma_max) ** torch.linspace(0.0, 1.0, 300)
    if flow:
        fine = torch.linspace(1.0, 0.05, 300)
        grid = torch.cat([fine, 0.05 * (0.003 / 0.05) ** torch.linspace(0.0, 1.0, 60)[1:]])
    sigmas = torch.cat([grid, torch.zeros(1)])
    end = own_sampler("heun")(model, x.double(), sigmas.double(), extra_args={"labels": labels})
    sigmas[-2] = ends[1]
    return AdaptiveCase(key, model, sigma_range, x, end, {"labels": labels}, pilot, {"labels": labels[:4]})


def dpm_adaptive_runs(case: AdaptiveCase) -> Iterator[tuple[int, int, float]]:
    """(order, calls, error) of dpm_adaptive over the sweep, runs within CALLS only."""
    import k_diffusion.sampling as k

    for order in (2, 3):
        for rtol in RTOLS:
            counted = CountedDenoiser(case.model, case.extra_args, most=CALLS[1] * ROWS)
            low, high = case.sigma_range.sigma_min, case.sigma_range.sigma_max
            given: dict[str, Any] = {"disable": True, "order": order, "rtol": rtol}
            try:
                x: Any = k.sample_dpm_adaptive(counted, case.x, low, high, atol=rtol * ATOL_SHARE, **given)
                end = counted(x, torch.full((len(x),), low))
            except TooManyCallsError:
                continue
            calls = counted.rows // ROWS
            if calls >= CALLS[0]:
                yield order, calls, case.error(end)


def against_dpm_adaptive(cases: Sequence[AdaptiveCase]) -> Iterator[str]:
    """Table 1, and its figures."""
    ratios: dict[str, list[float]] = {method: [] for method in METHODS}
    yield f"1. dpm_adaptive over ours at equal calls ({', '.join(METHODS)})"
    for case in cases:
        parts = []
        for order, calls, theirs in sorted(dpm_adaptive_runs(case)):
            gains = {method: theirs / case.adaptive(calls=calls, method=method)[0] for method in METHODS}
            for method, ratio in gains.items():
                ratios[method].append(ratio)
            parts.append(f"{order}/{calls}: " + " ".join(f"{ratio:.3g}" for ratio in gains.values()))
        yield (f"  {case.name:18s} order/calls  " + " | ".join(parts))
    for method, gains in ratios.items():
        yield (
            f"  {method}: error lower by {average(gains):.2f}x on average over {len(gains)} runs, least "
            f"{min(gains):.2f}x, above dpm_adaptive in {sum(ratio < 1.0 for ratio in gains)}"
        )
    default = ratios["predictive"]
    yield verdict("predictive, the default: average", average(default), 1.5)
    yield verdict("predictive, the default: least", min(default), 1.0)


def against_schedules(cases: Sequence[AdaptiveCase]) -> Iterator[str]:
    """Table 2, and its figures."""
    yield "2. dpmpp_2m on the best host schedule in hindsight over the predictive method at equal calls"
    ratios: list[float] = []
    for case in cases:
        parts = []
        for steps in STEPS:
            best, theirs = case.best_host(steps)
            ours = case.adaptive(calls=steps)[0]
            ratios.append(theirs / ours)
            parts.append(f"{steps}: {theirs:.5f} ({best}) / {ours:.5f} = {ratios[-1]:.2f}")
        yield (f"  {case.name:18s} " + " | ".join(parts))
    yield (
        f"  error lower by {average(ratios):.2f}x on average, least {min(ratios):.2f}x, above it in "
        f"{sum(ratio < 1.0 for ratio in ratios)} of {len(ratios)}"
    )
    yield verdict("least", min(ratios), 1.0)


def tolerances(cases: Sequence[AdaptiveCase]) -> Iterator[str]:
    """Table 3."""
    yield "3. Tolerance asked for: error reached (calls of the slowest image)"
    for method in METHODS:
        parts = []
        for atol in TOLERANCES:
            runs = [case.adaptive(calls=None, atol=atol, method=method) for case in cases]
            calls = [report.calls for _, report in runs]
            parts.append(f"{atol:g}: {average([e for e, _ in runs]):.5f} ({min(calls)} to {max(calls)})")
        yield (f"  {method:12s} " + " | ".join(parts))


def frozen(cases: Sequence[AdaptiveCase]) -> Iterator[str]:
    """Table 4."""
    yield "4. dpmpp_2m: best host schedule in hindsight over the frozen schedule of a pilot"
    ratios: list[float] = []
    for case in cases:
        run = DirectRun(case.model, case.pilot_x, case.pilot_args)
        pilot = run_pilot(run, slice(0, len(case.pilot_x)), case.sigma_range)
        parts = []
        for steps in STEPS:
            ratios.append(case.best_host(steps)[1] / case.dpmpp_2m(frozen_sigmas(pilot, 2, steps, case.sigma_range)))
            parts.append(f"{steps}: {ratios[-1]:.2f}")
        yield (f"  {case.name:18s} " + " | ".join(parts))
    yield (f"  {average(ratios):.2f}x on average, least {min(ratios):.2f}x")


def overhead(device: str = "cpu", repeats: int = 9, steps: int = 20) -> list[str]:
    """Table 5: milliseconds per step without the model's, the least of the repeats; on the CPU, processor time."""
    import k_diffusion.sampling as k

    x = torch.randn(1, 4, 128, 128, device=device) * 14.6
    sigmas = torch.cat([torch.logspace(math.log10(14.6), -1.5, steps), torch.zeros(1)]).to(device)

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        return x * 0.03

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize()

    clock = time.process_time if device == "cpu" else time.perf_counter

    def timed(sampler: Callable[..., Tensor], **given: Any) -> float:
        times = []
        for _ in range(repeats + 1):
            wait()
            start = clock()
            sampler(model, x, sigmas, disable=True, **given)
            wait()
            times.append((clock() - start) / steps)
        return 1e3 * min(times[1:])

    theirs = timed(k.sample_dpmpp_2m)
    lines = [f"5. Time per step beside the model's, {device}, one latent of 4 x 128 x 128: dpmpp_2m {theirs:.2f} ms"]
    for method in METHODS:
        ours = timed(sample_sigmasmith_adaptive, calls=steps, method=method)
        lines.append(
            f"  {method:12s} {ours:.2f} ms: {ours - theirs:.2f} ms more, under 1 % of a step whose model call takes "
            f"{max(ours - theirs, 0.0) / 10.0:.2f} s or more"
        )
    return lines


def main(argv: Sequence[str]) -> int:
    """Print all five; returns the exit status."""
    study_parser("adaptive", __doc__).parse_args(argv)
    torch.set_num_threads(1)
    started = time.monotonic()
    with torch.no_grad():
        cases = [demo_case(key) for key in CASES] + [mixture_case(key) for key in MIXTURES]
        print(f"{len(cases)} models, {ROWS} noises each.\n")
        for table in (against_dpm_adaptive, against_schedules, tolerances, frozen):
            for line in table(cases):
                print(line, flush=True)
            print()
    print("\n".join(overhead()))
    if torch.cuda.is_available():
        print("\n".join(overhead("cuda")))
    print(f"\nDone in {time.monotonic() - started:.0f} s.")
    return 0
