"""The measurements of each case; tables.py holds them against the figures asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.sigmas import noise_level_start
from ...schedules.core.step_counts import StepCounts
from ...schedules.fitting.budget import Budget
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.refine.oss import published_oss
from ...schedules.hosts.schedules import host_schedules
from ...schedules.presets.preset import Preset
from ..cases import REFERENCE_LEVELS, SAMPLER, STEPS, Case, Options, host_lists, load_case
from .rounding import ROUNDINGS, rounded

PUBLISHED_NODES = 100
DENOISES = (0.35, 0.5)
# With rounded outputs the gain ends somewhere above the fitted counts.
ROUNDED_STEPS = (*STEPS, 40)
# Where hundreds of host lists are to be run, this many lead on this many rows and are run on all of them.
_LEADING, _LEADING_ROWS = 6, 12
# Step counts of which a host's own lists are known to StepCounts when they are cut at a noise level.
_HOST_COUNTS = (5, 8, 10, 14, 20, 28, 40, 56, 80)

Errors = dict[str, dict[int, float]]


@dataclass(frozen=True)
class PartialErrors:
    """Errors of runs below denoise 1 that all start at one sigma: with a schedule fitted for them, with the end of one
    fitted for whole runs, and with the best host schedule."""

    fitted: float
    whole: float
    host: float
    host_name: str


@dataclass
class CaseFigures:
    """One case's measurements; errors are geometric means of the RMSE.

    Attributes:
        hosts, fitted: name -> steps -> error with dpmpp_2m; fitted by effort and calibration noises.
        nfe: name as in `fitted` -> evaluations per sample, all step counts together.
        single: steps -> evaluations per sample of a fit of this step count alone, effort fast.
        published: "sampler, start" -> steps -> error of the published OSS schedule; `published_starts` its first sigma.
        euler: steps -> error of the schedule fitted for euler.
        partial: "denoise" -> steps -> errors from really noised data; `partial_nfe` what those fits cost.
        rounded: rounding -> steps -> (fitted, best host).
        solve_ms: of the slowest of a few ways to ask a preset for sigmas.
    """

    key: str
    hosts: Errors = field(default_factory=dict)
    fitted: Errors = field(default_factory=dict)
    nfe: dict[str, float] = field(default_factory=dict)
    single: dict[int, float] = field(default_factory=dict)
    published: Errors = field(default_factory=dict)
    published_starts: dict[str, float] = field(default_factory=dict)
    euler: dict[int, float] = field(default_factory=dict)
    partial: dict[str, dict[int, PartialErrors]] = field(default_factory=dict)
    partial_nfe: dict[str, float] = field(default_factory=dict)
    rounded: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)
    solve_ms: float = 0.0
    seconds: float = 0.0

    def best_host(self, steps: int) -> str:
        return min((name for name in self.hosts if steps in self.hosts[name]), key=lambda n: self.hosts[n][steps])


def measure(key: str, options: Options) -> CaseFigures:
    """Everything about one case."""
    torch.set_num_threads(1)
    started = time.monotonic()
    with torch.no_grad():
        case, figures = load_case(key, options.noises), CaseFigures(key)
        for steps in STEPS:
            for name, sigmas in host_lists(case.subject, steps).items():
                figures.hosts.setdefault(name, {})[steps] = case.error(sigmas)
        preset = measure_fits(case, options, figures).to_preset(case.subject.identity)
        measure_single(case.subject, figures)
        measure_published(case, options, figures)
        measure_partial(case.part(options.partial_noises), preset, options, figures)
        measure_rounded(case.part(options.rounded_noises), preset, figures)
        figures.solve_ms = solve_milliseconds(preset)
    figures.seconds = time.monotonic() - started
    return figures


def fit(
    subject: PlainSubject, rows: int, effort: str, steps: tuple[int, ...] = STEPS, sampler: str = SAMPLER
) -> Calibration:
    return subject.fit(subject.noise(rows, 0), sampler, steps, effort=effort)


def measure_fits(case: Case, options: Options, figures: CaseFigures) -> Calibration:
    """Fits at both efforts and with few noises; returns the balanced one."""
    plans = [("balanced", options.calibration), ("fast", options.calibration)]
    plans += [("fast", rows) for rows in options.small if rows != options.calibration]
    fits = {f"{effort} {rows}": fit(case.subject, rows, effort) for effort, rows in plans}
    for name, calibration in fits.items():
        figures.fitted[name] = {steps: case.error(calibration.sigmas(steps)) for steps in STEPS}
        figures.nfe[name] = calibration.nfe
    return next(iter(fits.values()))


def measure_single(subject: PlainSubject, figures: CaseFigures) -> None:
    """Evaluations of fits for one step count; their number does not depend on how many noises there are."""
    for steps in STEPS:
        figures.single[steps] = fit(subject, 4, "fast", (steps,)).nfe


def measure_published(case: Case, options: Options, figures: CaseFigures) -> None:
    """The published search's Euler schedule with euler and dpmpp_2m, and the schedule fitted for euler."""
    subject = case.subject
    calibration = fit(subject, options.euler, "balanced", sampler="euler")
    figures.euler = {steps: case.error(calibration.sigmas(steps), "euler") for steps in STEPS}
    x = subject.noise(options.images, 0) * subject.sigma_range.sigma_max
    run = DirectRun(subject.denoiser, x, subject.extra_args(len(x)))
    nodes = host_schedules(subject.sigma_range)["simple"](PUBLISHED_NODES)
    starts = {"own states": False} | ({} if subject.sigma_range.flow else {"flow states": True})
    for start, flow_states in starts.items():
        budget, rows = Budget(len(x), 0.0), slice(0, len(x))
        schedules = published_oss(run, nodes, STEPS, rows=rows, budget=budget, flow_states=flow_states).schedules
        figures.published_starts[start] = float(schedules[STEPS[-1]][0]) / subject.sigma_range.sigma_max
        for sampler in ("euler", SAMPLER):
            errors = {steps: case.error(schedules[steps], sampler) for steps in STEPS}
            figures.published[f"{sampler}, {start}"] = errors


def noised(subject: PlainSubject, clean: Tensor, sigma: float) -> Tensor:
    """Data noised to sigma, with noise that made none of it."""
    noise = subject.noise(len(clean), 77)
    return (1.0 - sigma) * clean + sigma * noise if subject.sigma_range.flow else clean + sigma * noise


def measure_partial(case: Case, preset: Preset, options: Options, figures: CaseFigures) -> None:
    """Noise-level mode below denoise 1, from really noised data: converged images of the same classes, which no fit
    has seen."""
    subject = case.subject
    for denoise in DENOISES:
        sigma = noise_level_start(denoise, subject.sigma_range)
        x = noised(subject, case.end, sigma)
        start = replace(case, x=x, end=subject.teacher_ends(x, REFERENCE_LEVELS, sigma=sigma))
        noise = subject.noise(options.calibration, 0)
        calibration = subject.fit(noise, SAMPLER, STEPS, effort="balanced", denoise=denoise, start_sigma=sigma)
        figures.partial_nfe[f"{denoise:g}"] = calibration.nfe
        figures.partial[f"{denoise:g}"] = {
            steps: PartialErrors(
                start.error(calibration.sigmas(steps, denoise, mode="noise_level")),
                start.error(preset.sigmas(steps, denoise, mode="noise_level")),
                *_least(start.error, leading(start, host_cuts(subject.sigma_range, steps, sigma))),
            )
            for steps in STEPS
        }


def leading(case: Case, lists: dict[str, Tensor]) -> dict[str, Tensor]:
    """The lists with the smallest errors on a few rows."""
    some = case.part(_LEADING_ROWS)
    errors = {name: some.error(sigmas) for name, sigmas in lists.items()}
    return {name: lists[name] for name in sorted(errors, key=lambda name: errors[name])[:_LEADING]}


def _least(error: Callable[[Tensor], float], lists: dict[str, Tensor]) -> tuple[float, str]:
    return min((error(sigmas), name) for name, sigmas in lists.items())


def host_cuts(sigma_range: SigmaRange, steps: int, sigma: float) -> dict[str, Tensor]:
    """Every host schedule from the same start sigma: its curve cut there, and its own tail that begins nearest."""
    cuts: dict[str, Tensor] = {}
    for name, schedule in host_schedules(sigma_range).items():
        known = {count: schedule(count) for count in _HOST_COUNTS}
        cuts[f"{name} (curve)"] = StepCounts(known, sigma_range.sigma_min).from_sigma(steps, sigma)
        tails = [schedule(count)[-(steps + 1) :] for count in range(steps, 4 * steps)]
        tails = [tail for tail in tails if float(tail[1]) < sigma]
        if tails:
            nearest = min(tails, key=lambda tail: abs(float(tail[0]) / sigma - 1.0)).clone()
            nearest[0] = sigma
            cuts[f"{name} (tail)"] = nearest
    return cuts


def measure_rounded(case: Case, preset: Preset, figures: CaseFigures) -> None:
    """Ratios with rounded model outputs; the reference stays that of the exact model, and so does the preset."""
    hosts = {steps: leading(case, host_lists(case.subject, steps)) for steps in ROUNDED_STEPS}
    for name in ROUNDINGS:
        subject = replace(case.subject, denoiser=rounded(case.subject.denoiser, name))
        inexact = replace(case, subject=subject)
        figures.rounded[name] = {
            steps: (inexact.error(preset.sigmas(steps)), _least(inexact.error, lists)[0])
            for steps, lists in hosts.items()
        }


def solve_milliseconds(preset: Preset) -> float:
    """Milliseconds of asking a preset for sigmas, its slowest way; the least of repeats, as other cases run beside."""
    ways: tuple[Callable[[], Tensor], ...] = (
        lambda: preset.sigmas(8),
        lambda: preset.sigmas(13),
        lambda: preset.sigmas(60),
        lambda: preset.sigmas(12, 0.5),
        lambda: preset.sigmas(12, 0.5, "noise_level"),
    )
    return max(min(_milliseconds(way) for _ in range(15)) for way in ways)


def _milliseconds(way: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    way()
    return 1000.0 * (time.perf_counter() - started)
