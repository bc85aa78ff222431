"""The fit, end to end: teacher, candidates, refinement, held-out check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..noise_space import SigmaRange
from ..sigmas import check_steps
from .baselines import host_schedules
from .budget import Budget, OutOfTimeError, Progress
from .calibration import Calibration
from .check import held_out_check
from .direct import DirectRun
from .effort import effort_named
from .fit import Baselines, Fit
from .journal import Journal, part_text
from .reference import Reference, make_reference
from .report import Report
from .rollouts import RunFunction
from .search import compared_hosts, make_tables, search
from .solvers import SamplerFunction, own_sampler


def calibrate(
    denoiser: Callable[..., Tensor] | None,
    noise: Tensor,
    *,
    sigma_min: float,
    sigma_max: float,
    sampler: str | SamplerFunction = "dpmpp_2m",
    steps: int | Sequence[int] = (5, 8, 10, 20),
    flow: bool = False,
    extra_args: dict[str, Any] | None = None,
    effort: str = "balanced",
    baselines: Baselines | None = None,
    progress: Progress | None = None,
    x: Tensor | None = None,
    run: RunFunction | None = None,
    minutes: float | None = None,
    journal: str | Path | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit sigma schedules to a model, for one sampler and several step counts.

    Args:
        denoiser: k-diffusion's, (x (B, ...), sigma (B,), **extra_args) -> denoised; None where `run` is given.
        noise: (B, ...) standard normal, B >= 3; the last quarter of the rows (at least 2) is held out of every choice.
        sigma_min, sigma_max: the model's noise range, 0 < sigma_min < sigma_max (flow: <= 1).
        sampler: a name with a host-free form (see solvers.own_sampler), or a function with k-diffusion's signature.
        steps: step counts to solve; each is a number of solver intervals, not of model calls.
        flow: True for CONST / rectified-flow models.
        extra_args: passed on to the denoiser with the whole batch in the given order. Where the denoiser is seen to
            take part of the batch with the same result, the search runs only the rows it needs, with their entries of
            every tensor or list of length B.
        effort: "fast", "balanced" or "thorough": the limit of model evaluations.
        baselines: name -> steps -> sigmas, what the fit is compared with; default: the hosts' own schedules.
        progress: callable(done, total, message) after every model call; raising from it cancels the fit.
        x: (B, ...) start state; default sigma_max * noise.
        run: starts a sampler function on (sigmas, rows) in a host, in place of `denoiser`, `x` and `extra_args`.
        minutes: wall-clock limit; the best schedules so far are returned.
        journal: folder for records of the unfinished fit: the same fit started again goes on where it stopped. Removed
            when the fit is done. Give each model, conditioning and guidance a folder of its own.
        seed: of the Brownian paths that stochastic samplers are fitted on.
    Returns:
        a Calibration; where a host schedule wins on held-out rows it holds that one, and its report says so. With a
        teacher that does not converge (distilled few-step models) nothing is fitted: the best host schedules return.
    Raises:
        ValueError: names the argument. ModelError (a ValueError): NaN from the model, with sigma and sample.
        OutOfTimeError: `minutes` did not suffice for the teacher and one run.
    """
    sigma_range = SigmaRange(float(sigma_min), float(sigma_max), flow)
    counts, rows, plan = check_step_counts(steps), check_noise(noise), effort_named(effort)
    if run is None:
        if denoiser is None:
            raise ValueError("denoiser must be given where run is not")
        start = noise.float() * sigma_range.sigma_max if x is None else x.float()
        run = DirectRun(denoiser, start, extra_args or {}, sigma_range.sigma_max if x is None else None)
    name = sampler if isinstance(sampler, str) else sampler_name(sampler)
    identity = [part_text(noise), name, counts, sigma_min, sigma_max, flow, effort, seed]
    held = max(2, rows // 4)
    fit = Fit(
        run=run,
        sampler=own_sampler(sampler) if isinstance(sampler, str) else sampler,
        sampler_name=name,
        steps=counts,
        sigma_range=sigma_range,
        effort=plan,
        baselines=host_schedules(sigma_range) if baselines is None else baselines,
        budget=Budget(rows, plan.limit(counts), minutes, progress),
        search=slice(0, rows - held),
        held_out=slice(rows - held, rows),
        shape=tuple(noise.shape[1:]),
        seed=seed,
        journal=None if journal is None else Journal(Path(journal), part_text(identity)),
    )
    with torch.no_grad():
        schedules, report = _run_fit(fit)
    if fit.journal is not None:
        fit.journal.clear()
    return Calibration(
        schedules=schedules,
        sigma_range=sigma_range,
        sampler=name,
        report=report,
        nfe=fit.budget.nfe,
        effort=effort,
        latent_shape=fit.shape,
        seconds=fit.budget.seconds,
    )


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


def _run_fit(fit: Fit) -> tuple[dict[int, Tensor], Report]:
    reference = make_reference(fit)
    objective = fit.objective(reference.end, fit.search)
    hosts, notes = list(fit.baselines), _first_notes(fit, reference)
    if reference.converged:
        tables = make_tables(fit, reference.teacher)
        hosts = compared_hosts(fit, tables)
        # Against a clock, leave time for the fitted schedule and one host's; without one, for all of the check.
        compared = 2 if fit.budget.minutes is not None else len(hosts) + 1
        fit.budget.reserve = sum(fit.steps) * compared * fit.share(fit.held_out)
        try:
            search(fit, tables, objective, hosts)
        except OutOfTimeError:
            notes.append("The minutes were used up before the search was through: these are the best schedules so far.")
        missing = [str(count) for count in fit.steps if count not in objective.best]
        if missing:
            notes.append(f"There was no time to fit {', '.join(missing)} steps: the best host schedule stands in.")
    fit.budget.reserve = 0.0
    fit.budget.message = "held-out check"
    found = {count: trial.sigmas for count, trial in objective.best.items() if count in fit.steps}
    schedules, rows = held_out_check(fit, fit.objective(reference.end, fit.held_out), found, hosts)
    unchecked = [str(count) for count in fit.steps if not rows[count].errors]
    if unchecked:
        notes.append(f"There was no time for the held-out check of {', '.join(unchecked)} steps.")
    return schedules, Report(
        rows=rows,
        held_out=fit.held_out.stop - fit.held_out.start,
        samples=fit.held_out.stop,
        teacher_error=reference.disagreement,
        skipped=tuple(name for name in fit.baselines if name not in hosts),
        notes=tuple(notes),
    )


def _first_notes(fit: Fit, reference: Reference) -> list[str]:
    """Sentences on how the fit was done, known before the search."""
    notes: list[str] = []
    if not fit.splits:
        notes.append("The denoiser takes the whole batch only: every run cost all of its rows.")
    if fit.stochastic:
        notes.append(f"{fit.sampler_name} draws noise: it was fitted against itself with many steps on the same noise.")
    if not reference.converged:
        notes.append(
            "Nothing was fitted: the reference solutions with "
            f"{fit.effort.check_nodes} and {fit.effort.teacher_nodes} levels end {reference.disagreement:.3g} apart, "
            "as on few-step (distilled) models. Use the sigma list that the model was published with."
        )
    return notes
