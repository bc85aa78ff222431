"""The fit, end to end: teacher, candidates, refinement, held-out check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.noise_space import SigmaRange
from ..core.sigmas import check_steps
from ..hosts.schedules import host_schedules
from ..presets.made import HowMade
from ..samplers.brownian import is_stochastic
from ..samplers.fitted import NAME
from ..samplers.rules import SamplerFunction, own_sampler
from .budget import Budget, Progress
from .calibration import Calibration
from .direct import DirectRun
from .effort import effort_for
from .experts import check_boundary
from .journal import Journal, part_text
from .partial import PartialStart, partial_start
from .pipeline import run_fits
from .problem import METHODS, Baselines, Fit
from .rollouts import RunFunction


def calibrate(
    denoiser: Callable[..., Tensor] | None,
    noise: Tensor,
    *,
    sigma_min: float,
    sigma_max: float,
    sampler: str | SamplerFunction | Sequence[str | SamplerFunction] = "dpmpp_2m",
    steps: int | Sequence[int] = (5, 8, 10, 20),
    flow: bool = False,
    extra_args: dict[str, Any] | None = None,
    effort: str = "balanced",
    method: str = "gauss_newton",
    baselines: Baselines | None = None,
    progress: Progress | None = None,
    x: Tensor | None = None,
    run: RunFunction | None = None,
    minutes: float | None = None,
    journal: str | Path | None = None,
    seed: int = 0,
    boundary: float | None = None,
    low_denoiser: Callable[..., Tensor] | None = None,
    denoise: float = 1.0,
    start_sigma: float | None = None,
) -> Calibration:
    """Fit sigma schedules to a model, for one sampler and several step counts.

    Args:
        denoiser: k-diffusion's, (x (B, ...), sigma (B,), **extra_args) -> denoised; None where `run` is given.
        noise: (B, ...) standard normal, B >= 3; the last quarter of the rows (at least 2) is held out of every choice
            but one: how many model outputs fitted coefficients weigh.
        sigma_min, sigma_max: the model's noise range, 0 < sigma_min < sigma_max (flow: <= 1).
        sampler: a name with a host-free form (see solvers.own_sampler), or a function with k-diffusion's signature. Of
            several, each gets schedules of its own, and the one with the smallest error on the search rows is returned.
        steps: step counts to solve; each is a number of solver intervals, not of model calls.
        flow: True for CONST / rectified-flow models.
        extra_args: passed on to the denoiser with the whole batch in the given order. Where the denoiser is seen to
            take part of the batch with the same result, the search runs only the rows it needs, with their entries of
            every tensor or list of length B.
        effort: "fast", "balanced" or "thorough": the limit of model evaluations; what a stochastic sampler's own
            reference costs comes on top.
        method: "gauss_newton", or "oss": the recursive search of Optimal Stepsize (arXiv:2503.21774), mended (oss.py);
            it has a limit of its own, known beforehand too (oss_cost.py) and mostly above that of the effort.
        baselines: name -> steps -> sigmas, what the fit is compared with; default: the hosts' own schedules.
        progress: callable(done, total, message) after every model call; raising from it cancels the fit.
        x: (B, ...) start state; default sigma_max * noise. Below denoise 1: images of your own, noised to start_sigma.
        run: starts a sampler function on (sigmas, rows) in a host, in place of `denoiser`, `x` and `extra_args`.
        minutes: wall-clock limit; the best schedules so far are returned.
        journal: folder for records of the unfinished fit: the same fit started again goes on where it stopped. Removed
            when the fit is done. Give each model, conditioning and guidance a folder of its own.
        seed: of the Brownian paths that stochastic samplers are fitted on.
        boundary: of two models in turn (experts.py), the sigma from which upwards the first one runs. The report names
            the step to switch after. A `run` must split its runs there.
        low_denoiser: the model below the boundary; `denoiser` is then the one above it.
        denoise: the host's fraction, 0 < denoise <= 1. Below 1 the fit is for images that are changed: the runs start
            from images of the model, or those in `x`, noised to start_sigma, and each step count is what is left of
            int(steps / denoise). See partial.py.
        start_sigma: where runs below denoise 1 start; default: where the schedule `simple` starts at this denoise.
    Returns:
        a Calibration; where a host schedule wins on held-out rows it holds that one, and its report says so. With a
        teacher that does not converge (distilled few-step models) nothing is fitted: the best host schedules return.
    Raises:
        ValueError: names the argument. ModelError (a ValueError): NaN from the model, with sigma and sample.
        OutOfTimeError: `minutes` did not suffice for the teacher and one run.
    """
    sigma_range = SigmaRange(float(sigma_min), float(sigma_max), flow)
    counts, rows = check_step_counts(steps), check_noise(noise)
    if run is None:
        if denoiser is None:
            raise ValueError("denoiser must be given where run is not")
        start = noise.float() * sigma_range.sigma_max if x is None else x.float()
        second = None if boundary is None else (low_denoiser or denoiser, boundary)
        top = sigma_range.sigma_max if x is None else None
        run = DirectRun(denoiser, start, extra_args or {}, top, second, flow)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if boundary is not None:
        check_boundary(boundary, sigma_range)
    elif low_denoiser is not None:
        raise ValueError("boundary must be given where low_denoiser is")
    samplers = check_samplers(sampler)
    drawing = any(is_stochastic(function, name) for name, function in samplers.items())
    more = NAME in samplers or drawing or method != "gauss_newton"
    plan = effort_for(effort, counts, more=more)
    if boundary is not None and NAME in samplers:
        raise ValueError(f"sampler: {NAME} is fitted for one model; two in turn break its history")
    if method != "gauss_newton" and NAME in samplers:
        raise ValueError(f"method: {method} solves schedules alone, and {NAME} needs gauss_newton")
    hosts = host_schedules(sigma_range) if baselines is None else baselines
    partial = check_partial(denoise, start_sigma, sigma_range, hosts, counts, samplers, boundary)
    made = HowMade(
        method="" if method == "gauss_newton" else method,
        chosen_among=tuple(samplers) if len(samplers) > 1 else (),
        boundary=boundary,
    )
    budget = Budget(rows, plan.limit(counts, solver=NAME in samplers), minutes, progress)
    identity = part_text(
        [part_text(noise if x is None else x), list(samplers), counts, effort, method, seed, boundary, partial]
    )
    notebook = None if journal is None else Journal(Path(journal), f"{identity} {sigma_range}")
    held = max(2, rows // 4)
    fits = [
        Fit(
            run=run,
            sampler=function,
            sampler_name=name,
            steps=counts,
            sigma_range=sigma_range if partial is None else partial.window,
            effort=plan,
            method=method,
            baselines=hosts if partial is None else {name: partial.cut(made) for name, made in hosts.items()},
            budget=budget,
            search=slice(0, rows - held),
            held_out=slice(rows - held, rows),
            shape=tuple(noise.shape[1:]),
            seed=seed,
            journal=notebook,
            boundary=boundary,
            partial=partial,
        )
        for name, function in samplers.items()
    ]
    with torch.no_grad():
        outcome = run_fits(fits)
    if notebook is not None:
        notebook.clear()
    return Calibration(
        schedules=outcome.schedules if partial is None else partial.whole_lists(outcome.schedules),
        coefficients=outcome.tables,
        sigma_range=sigma_range,
        sampler=outcome.sampler,
        report=outcome.report,
        nfe=budget.nfe,
        effort=effort,
        latent_shape=tuple(noise.shape[1:]),
        seconds=budget.seconds,
        denoise=denoise if partial is not None else 1.0,
        made=made,
    )


def check_partial(
    denoise: float,
    start_sigma: float | None,
    sigma_range: SigmaRange,
    hosts: Baselines,
    counts: tuple[int, ...],
    samplers: Mapping[str, SamplerFunction],
    boundary: float | None,
) -> PartialStart | None:
    """Where runs below denoise 1 start, or None; ValueError names the argument."""
    partial = partial_start(denoise, start_sigma, sigma_range, hosts, counts)
    if partial is not None and NAME in samplers:
        raise ValueError(f"denoise: {NAME} is fitted for whole runs; give denoise 1, or another sampler")
    if partial is not None and boundary is not None:
        raise ValueError("denoise: a fit of two models in turn is for whole runs; give denoise 1")
    return partial


def check_samplers(
    sampler: str | SamplerFunction | Sequence[str | SamplerFunction],
) -> dict[str, SamplerFunction]:
    """Sampler functions by name; ValueError for none, an unknown name, or stochastic ones among several."""
    given = [sampler] if isinstance(sampler, str) or callable(sampler) else list(sampler)
    found: dict[str, SamplerFunction] = {}
    for entry in given:
        name = entry if isinstance(entry, str) else sampler_name(entry)
        # The fitted sampler is run from tables that the fit makes, a host's function of that name from a preset.
        found[name] = own_sampler(name) if isinstance(entry, str) or name == NAME else entry
    if not found:
        raise ValueError("sampler must name at least one sampler")
    drawing = [name for name, function in found.items() if is_stochastic(function, name)]
    if len(found) > 1 and drawing:
        raise ValueError(f"sampler: only deterministic ones can be chosen among, and {drawing[0]} may draw noise")
    return found


def check_step_counts(steps: int | Sequence[int]) -> tuple[int, ...]:
    """Ascending step counts without repeats; ValueError where there are none or one is no step count."""
    given = (steps,) if isinstance(steps, int) else tuple(steps)
    if not given:
        raise ValueError("steps must name at least one step count")
    return tuple(sorted({check_steps(count) for count in given}))


def check_noise(noise: Tensor) -> int:
    """Number of rows B of the noise, at least 3: one to search on and two held out."""
    if noise.ndim < 2 or noise.numel() == 0:
        raise ValueError(f"noise must have shape (B, ...) with values in it, got {tuple(noise.shape)}")
    if noise.shape[0] < 3:
        raise ValueError(f"noise must hold at least 3 rows (two are held out), got {noise.shape[0]}")
    if not bool(torch.isfinite(noise).all()):
        raise ValueError("noise must be finite")
    return noise.shape[0]


def sampler_name(sampler: SamplerFunction) -> str:
    """Name of a sampler function: k-diffusion's sample_<name> without the prefix."""
    return getattr(sampler, "__name__", type(sampler).__name__).removeprefix("sample_")
