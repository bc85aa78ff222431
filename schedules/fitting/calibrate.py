"""The fit, end to end: `calibrate` with plain keywords, and `solve_schedules` with what they mean in four parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.digest import digest_of
from ..core.frequencies import has_detail
from ..core.noise_space import SigmaRange
from ..core.run import Run, StartsFromImages
from ..core.sigmas import steps_before_truncation
from ..core.types import Baselines, Progress, SamplerFunction
from ..hosts.schedules import DEFAULT_HOST, host_schedules
from ..presets.made import HowMade
from ..samplers.fitted import NAME
from .budget import Budget
from .calibration import Calibration
from .claims import GAIN, gain_facts
from .direct import DirectRun, rows_of
from .effort import effort_for, held_out_of
from .journal import Records, part_text
from .partial import partial_start
from .pipeline import Solution, solve
from .probe import ask
from .problem import Problem
from .race import race_alone
from .report import FAMILY, FREQUENCY_WEIGHT
from .settings import Cost, Sampling, Searching, samplers_by_name, step_counts


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
    run: Run | None = None,
    minutes: float | None = None,
    calls: int | None = None,
    journal: str | Path | Records | None = None,
    seed: int = 0,
    boundary: float | None = None,
    low_denoiser: Callable[..., Tensor] | None = None,
    denoise: float = 1.0,
    start_sigma: float | None = None,
    guidance: float = 1.0,
    afterwards: float = 0.0,
    frequency_weight: float = 1.0,
) -> Calibration:
    """Fit sigma schedules to a model, for one sampler and several step counts.

    Args:
        denoiser: k-diffusion's, (x (B, ...), sigma (B,), **extra_args) -> denoised; None where `run` is given.
        noise: (B, ...) standard normal, B >= 3; the last quarter of the rows (at least 2) is held out of every choice
            but one: how many model outputs fitted coefficients weigh.
        sigma_min, sigma_max: the model's noise range, 0 < sigma_min < sigma_max (flow: <= 1).
        sampler: a name with a host-free form (see own_sampler), or a function with k-diffusion's signature. Of
            several, each gets schedules of its own, and the one with the smallest error on the search rows is returned.
        steps: step counts to solve; each is a number of solver intervals, not of model calls.
        flow: True for CONST / rectified-flow models.
        extra_args: passed on to the denoiser with the whole batch in the given order. Where the denoiser is seen to
            take part of the batch with the same result, the search runs only the rows it needs, with their entries of
            every tensor or list of length B.
        effort: "quick", "fast", "balanced" or "thorough": the limit of model evaluations; what a stochastic sampler's
            own reference costs comes on top. "quick" finds where the family lies on the model (race.py) on the first
            6 rows, with at most 100 + 70 model calls a step in all; "fast" with coefficients moves every step from
            there, pulled to what models mostly have (prior.py), with 100 + 120; so do the others, with more.
        method: "gauss_newton", or "oss": the recursive search of Optimal Stepsize (arXiv:2503.21774), mended (oss.py);
            it has a limit of its own, known beforehand too (oss_cost.py) and mostly above that of the effort.
        baselines: name -> steps -> sigmas, what the fit is compared with; default: the hosts' own schedules.
        progress: callable(done, total, message) after every model call; raising from it cancels the fit.
        x: (B, ...) start state; default sigma_max * noise. Below denoise 1: images of your own, noised to start_sigma.
        run: the runs of a host (core/run.py), in place of `denoiser`, `x` and `extra_args`.
        minutes: wall-clock limit; the best schedules so far are returned.
        calls: limit on model calls in all, rows counted, in place of the effort's: the fit decides what they are spent
            on, and takes as many rows of the noise as serve. Several samplers share them. `Calibration.calls` says how
            many were made.
        journal: folder for records of the unfinished fit: the same fit started again goes on where it stopped, if the
            model answers as it did. Removed when the fit is done; those of a Records stay until its `clear`.
        seed: of the Brownian paths that stochastic samplers are fitted on.
        boundary: of two models in turn (experts.py), the sigma from which upwards the first one runs. The report names
            the step to switch after. A `run` must split its runs there.
        low_denoiser: the model below the boundary; `denoiser` is then the one above it.
        denoise: the host's fraction, 0 < denoise <= 1. Below 1 the fit is for images that are changed: the runs start
            from images of the model, or those in `x`, noised to start_sigma, and each step count is what is left of
            int(steps / denoise). See partial.py.
        start_sigma: where runs below denoise 1 start; default: where the schedule `simple` starts at this denoise.
        guidance: classifier-free guidance inside the denoiser; the family that a fit starts from depends on it.
        afterwards: model calls for every row of `noise` that the caller makes once the fit is done; `minutes` keep time
            for them.
        frequency_weight: how many times more an error in the finest detail counts than one in flat areas (core/
            frequencies.py), in the search and in the report; 1: all alike, the plain RMSE.
    Returns:
        a Calibration; where a host schedule wins on held-out rows it holds that one, and its report says so. With a
        teacher that does not converge (distilled few-step models) nothing is fitted: the best host schedules return.
    Raises:
        ValueError: names the argument. ModelError (a ValueError): NaN from the model, with sigma and sample.
        OutOfTimeError: `minutes` did not suffice for the teacher and one run.
    """
    sigma_range = SigmaRange(float(sigma_min), float(sigma_max), flow)
    counts = step_counts(steps)
    check_noise(noise)
    if x is not None and x.shape != noise.shape:
        raise ValueError(f"x must have the shape of noise, {tuple(noise.shape)}, got {tuple(x.shape)}")
    functions = samplers_by_name(sampler)
    most = effort_for(effort, counts, coefficients=NAME in functions, calls=calls, samplers=len(functions)).rows
    if run is None and most is not None and len(noise) > most:
        first = slice(0, most)
        extra_args = {name: rows_of(value, first, len(noise)) for name, value in (extra_args or {}).items()}
        noise, x = noise[first], None if x is None else x[first]
    if boundary is None and low_denoiser is not None:
        raise ValueError("boundary must be given where low_denoiser is")
    hosts = host_schedules(sigma_range) if baselines is None else baselines
    default = hosts.get(DEFAULT_HOST) or host_schedules(sigma_range)[DEFAULT_HOST]
    start = partial_start(denoise, start_sigma, sigma_range, default, counts)
    sampling = Sampling(sigma_range, functions, counts, start, boundary, seed, guidance)
    if run is None:
        if denoiser is None:
            raise ValueError("denoiser must be given where run is not")
        second = None if boundary is None else (low_denoiser or denoiser, boundary)
        top = sigma_range.sigma_max if x is None else None
        state = noise.float() * sigma_range.sigma_max if x is None else x.float()
        run = DirectRun(denoiser, state, extra_args or {}, top, second, flow)
    searching = Searching(
        hosts if start is None else start.cut_all(hosts), effort, method, frequency_weight=frequency_weight
    )
    cost, batch = Cost(minutes, progress, calls, afterwards), noise if x is None else x
    if isinstance(journal, Records):
        return solve_schedules(run, batch, sampling, searching, cost, journal)
    with Records(journal, digest_of(extra_args)) as records:
        calibration = solve_schedules(run, batch, sampling, searching, cost, records)
        records.clear()
    return calibration


def solve_schedules(
    run: Run,
    batch: Tensor,
    sampling: Sampling,
    searching: Searching,
    cost: Cost | None = None,
    records: Records | None = None,
    suspects: str = "",
) -> Calibration:
    """Fit sigma schedules through a run.

    Args:
        run: of a host, or direct.
        batch: (B, ...) noise or start states, B >= 3; tells the records of one batch from those of another.
        records: open when the fit returns, and the caller's to clear or to keep.
        suspects: a sentence on what the host knows on the model, for a refusal by the self-test.
    Returns:
        as `calibrate`, which says more.
    Raises:
        as `calibrate`.
    """
    cost, records = cost or Cost(), records or Records()
    rows = check_noise(batch)
    if sampling.start is not None and not isinstance(run, StartsFromImages):
        raise ValueError("denoise: this run starts from noise alone; give denoise 1")
    if searching.method != "gauss_newton" and sampling.fits_coefficients:
        raise ValueError(
            f"method: {searching.method} solves schedules alone; to fit coefficients too give gauss_newton"
        )
    if searching.frequency_weight != 1.0 and not has_detail(tuple(batch.shape[1:])):
        raise ValueError("frequency_weight: rows of plain numbers have no frequencies; give 1")
    identity = _identity(batch, sampling, searching)
    more = sampling.draws_noise or searching.method != "gauss_newton"
    effort = effort_for(
        searching.effort,
        sampling.steps,
        coefficients=sampling.fits_coefficients,
        more=more,
        calls=cost.calls,
        samplers=len(sampling.samplers),
    )
    if effort.rows is not None and run.splits:  # others would pay for all rows anyhow
        rows = min(rows, effort.rows)
    limit = effort.limit(sampling.steps, rows=rows, coefficients=sampling.fits_coefficients)
    budget = Budget(rows, limit, cost.minutes, cost.progress, afterwards=cost.afterwards * batch.shape[0] / rows)
    journal = records.open(identity, lambda: ask(run, sampling.window, sampling.boundary, budget, suspects))
    shape = tuple(batch.shape[1:])
    held = held_out_of(rows)
    problems = {
        name: race_alone(
            Problem(
                run=run,
                sampler=function,
                sampler_name=name,
                sampling=sampling,
                baselines=searching.baselines,
                effort=effort,
                method=searching.method,
                family=searching.family,
                frequency_weight=searching.frequency_weight,
                budget=budget,
                journal=journal,
                search=slice(0, rows - held),
                held_out=slice(rows - held, rows),
                shape=shape,
            )
        )
        for name, function in sampling.samplers.items()
    }
    with torch.no_grad():
        solution = solve(list(problems.values()), suspects)
    refines = problems[solution.sampler].effort.refines
    start = sampling.start
    return Calibration(
        schedules=solution.schedules if start is None else start.whole_lists(solution.schedules),
        coefficients=solution.coefficients,
        sigma_range=sampling.sigma_range,
        sampler=solution.sampler,
        report=solution.report,
        nfe=budget.nfe,
        effort=searching.effort,
        latent_shape=shape,
        seconds=budget.seconds if journal is None else journal.seconds,
        denoise=1.0 if start is None else start.denoise,
        made=_how_made(sampling, searching, solution, refines, 1.0 if start is None else start.denoise),
    )


def _identity(batch: Tensor, sampling: Sampling, searching: Searching) -> str:
    """A text that tells the records of this fit from those of another one in the same folder."""
    functions = digest_of(sampling.samplers)
    asked = [part_text(batch), list(sampling.samplers), functions, sampling.steps, searching.effort, searching.method]
    asked += [sampling.seed, sampling.boundary, sampling.start, searching.frequency_weight]
    return f"{part_text(asked)} {sampling.sigma_range}"


def _how_made(sampling: Sampling, searching: Searching, solution: Solution, refines: bool, denoise: float) -> HowMade:
    """The facts that a preset records of the fit."""
    method = "" if searching.method == "gauss_newton" else searching.method
    rows = {steps_before_truncation(steps, denoise): row for steps, row in solution.report.rows.items()}
    gains = {str(steps): gain_facts(row.gain) for steps, row in rows.items() if row.gain is not None}
    known: dict[str, Any] = {FAMILY: solution.family.facts} if solution.family is not None else {}
    if searching.frequency_weight != 1.0:
        known[FREQUENCY_WEIGHT] = searching.frequency_weight
    return HowMade(
        method=method if solution.family is None or refines else FAMILY,
        more=known | ({GAIN: gains} if gains else {}),
        chosen_among=tuple(sampling.samplers) if len(sampling.samplers) > 1 else (),
        boundary=sampling.boundary,
    )


def check_noise(noise: Tensor) -> int:
    """Number of rows B of the noise, at least 3: one to search on and two held out."""
    if noise.ndim < 2 or noise.numel() == 0:
        raise ValueError(f"noise must have shape (B, ...) with values in it, got {tuple(noise.shape)}")
    if noise.shape[0] < 3:
        raise ValueError(f"noise must hold at least 3 rows (two are held out), got {noise.shape[0]}")
    if not bool(torch.isfinite(noise).all()):
        raise ValueError("noise must be finite")
    return noise.shape[0]
