"""The fit, end to end: teacher, candidates, refinement, held-out check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..noise_space import SigmaRange
from ..sigmas import check_sigmas, check_steps
from ..step_counts import StepCounts
from .baselines import DEFAULT_HOST, host_schedules
from .budget import Budget, OutOfTimeError, Progress
from .calibration import Calibration
from .candidates import GAINS, dp_schedules, measured_gains, path_cost
from .direct import DirectRun
from .dynamic_programming import propagation_weights
from .effort import Effort, effort_named
from .gauss_newton import refine
from .local_errors import DenseTeacher, LocalErrors, densify, local_errors
from .metrics import geometric_mean, mode_switches, sample_errors
from .objective import Objective, Trial
from .report import FITTED, Report, StepReport
from .rollouts import Rollouts, RunFunction
from .sketch import Sketch
from .solvers import MULTISTEP_RULES, SamplerFunction, own_sampler
from .teacher import Teacher, restricted, run_teacher, teacher_sigmas

# Sketch lengths: of trajectories (local errors, gains) and of end states (Gauss-Newton residuals).
_STATE_SKETCH = 512
_END_SKETCH = 16_384
# The teacher and its half-as-fine twin may differ by this share of the distance between different samples.
_TEACHER_TOLERANCE = 0.05
# Counts above this start from the refined schedule of a smaller one, which beats dynamic programming on a grid there
# (trained networks, 20 steps: error .0017 against .0023) and costs one run; a smaller count is fitted first if need be.
MANY_STEPS = 12
# Starts that are refined, best first, as far as the step count's share of the budget goes.
_REFINED_STARTS = 3
# Host schedules compared at effort fast, and the share of the budget that comparing them may cost.
_LEADING = 4
_CHECK_SHARE = 0.35

Baselines = Mapping[str, Callable[[int], Tensor]]


@dataclass(frozen=True)
class _Fit:
    """One fit's fixed inputs."""

    run: RunFunction
    sampler: SamplerFunction
    sampler_name: str
    steps: tuple[int, ...]
    sigma_range: SigmaRange
    effort: Effort
    baselines: Baselines
    budget: Budget
    search: slice
    held_out: slice
    values: int

    @property
    def ladder(self) -> tuple[int, ...]:
        """The step counts to solve, and half of the smallest where that is too many to start without a neighbour."""
        first = self.steps[0]
        return (max(5, min(first // 2, MANY_STEPS)), *self.steps) if first > MANY_STEPS else self.steps

    @property
    def splits(self) -> bool:
        """Whether a run on some rows costs those rows alone."""
        return getattr(self.run, "splits", True)


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
    Returns:
        a Calibration; where a host schedule wins on held-out rows it holds that one, and its report says so. With a
        teacher that does not converge (distilled few-step models) nothing is fitted: the best host schedules return.
    Raises:
        ValueError: names the argument. ModelError (a ValueError): NaN from the model, with sigma and sample.
        OutOfTimeError: `minutes` did not suffice for the teacher and one run.
    """
    sigma_range = SigmaRange(float(sigma_min), float(sigma_max), flow)
    counts = check_step_counts(steps)
    rows = check_noise(noise)
    if run is None:
        if denoiser is None:
            raise ValueError("denoiser must be given where run is not")
        start = noise.float() * sigma_range.sigma_max if x is None else x.float()
        run = DirectRun(denoiser, start, extra_args or {})
    name = sampler if isinstance(sampler, str) else sampler_name(sampler)
    plan = effort_named(effort)
    held = max(2, rows // 4)
    fit = _Fit(
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
        values=noise[0].numel(),
    )
    with torch.no_grad():
        schedules, report = _run_fit(fit)
    return Calibration(
        schedules=schedules,
        sigma_range=sigma_range,
        sampler=name,
        report=report,
        nfe=fit.budget.spent,
        effort=effort,
        latent_shape=tuple(noise.shape[1:]),
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


def _run_fit(fit: _Fit) -> tuple[dict[int, Tensor], Report]:
    sketch = Sketch(fit.values, _STATE_SKETCH)
    everything = slice(0, fit.held_out.stop)
    levels = [teacher_sigmas(nodes, fit.sigma_range) for nodes in (fit.effort.teacher_nodes, fit.effort.check_nodes)]
    teacher, coarse = (run_teacher(fit.run, level, everything, sketch, fit.budget) for level in levels)
    notes: list[str] = []
    if isinstance(fit.run, DirectRun):
        fit.run.try_splitting(*teacher.probe, [fit.search, fit.held_out], fit.budget)
        if not fit.run.splits:
            notes.append("The denoiser takes the whole batch only: every run cost all of its rows.")
    disagreement, converged = teacher_agreement(teacher.end, coarse.end)
    search = _objective(fit, teacher, fit.search, sketch)
    names = list(fit.baselines)
    if converged:
        try:
            tables = _Tables.of(fit, teacher)
            names = _compared_hosts(fit, tables)
            fit.budget.reserve = sum(fit.steps) * (len(names) + 1) * _share(fit, fit.held_out)
            _search(fit, tables, search, names)
        except OutOfTimeError:
            notes.append("The minutes were used up before the search was through: these are the best schedules so far.")
        missing = [str(count) for count in fit.steps if count not in search.best]
        if missing:
            notes.append(f"There was no time to fit {', '.join(missing)} steps: the best host schedule stands in.")
    else:
        notes.append(
            "Nothing was fitted: the reference solutions with "
            f"{fit.effort.check_nodes} and {fit.effort.teacher_nodes} levels end {disagreement:.3g} apart, as on "
            "few-step (distilled) models. Use the sigma list that the model was published with."
        )
    fit.budget.reserve = 0.0
    fit.budget.message = "held-out check"
    found = {count: trial.sigmas for count, trial in search.best.items() if count in fit.steps}
    schedules, rows = _check(fit, teacher, found, names, sketch)
    skipped = tuple(name for name in fit.baselines if name not in names)
    return schedules, Report(
        rows, fit.held_out.stop - fit.held_out.start, fit.held_out.stop, disagreement, skipped, tuple(notes)
    )


def teacher_agreement(fine: Tensor, coarse: Tensor) -> tuple[float, bool]:
    """(geometric mean RMSE between two teachers, whether it is small beside the distance between samples)."""
    difference = geometric_mean(sample_errors(coarse, fine))
    flat = fine.flatten(1).cpu().double()
    distance = float((torch.pdist(flat) / flat.shape[1] ** 0.5).median())
    return difference, difference <= _TEACHER_TOLERANCE * max(distance, 1e-12)


def _objective(fit: _Fit, teacher: Teacher, rows: slice, sketch: Sketch) -> Objective:
    rollouts = Rollouts(fit.run, fit.sampler, fit.budget, sketch)
    return Objective(rollouts, teacher.end[rows], rows, Sketch(fit.values, _END_SKETCH, seed=1), fit.splits)


@dataclass(frozen=True)
class _Tables:
    """What is known of the search rows without running a student."""

    dense: DenseTeacher
    errors: LocalErrors
    by_gain: list[dict[int, Tensor]]

    @classmethod
    def of(cls, fit: _Fit, teacher: Teacher) -> _Tables:
        rule = MULTISTEP_RULES.get(fit.sampler_name, MULTISTEP_RULES["dpmpp_2m"])
        dense = densify(restricted(teacher, fit.search), 2)
        errors = local_errors(dense, rule)
        return cls(dense, errors, [dp_schedules(errors, gain, fit.ladder) for gain in GAINS])


def _compared_hosts(fit: _Fit, tables: _Tables) -> list[str]:
    """Host schedules to compare, the most promising along the teacher first.

    All of them where the effort says so and the budget allows; else the host's default and the leading ones.
    """
    weights = propagation_weights(tables.errors.sigmas, 0.75)
    costs = {
        name: sum(np.log(path_cost(tables.errors, weights, schedule(count))) for count in fit.steps)
        for name, schedule in fit.baselines.items()
    }
    ranked = sorted(costs, key=lambda name: costs[name])
    each = sum(fit.steps) * _share(fit, fit.held_out)
    affordable = max(1, int(_CHECK_SHARE * fit.budget.limit / each))
    count = min(affordable, len(ranked)) if fit.effort.all_baselines else min(affordable, _LEADING)
    leading = ranked[:count]
    if DEFAULT_HOST in ranked and DEFAULT_HOST not in leading:
        leading[-1:] = [DEFAULT_HOST] if count > 1 else leading[-1:]
    return leading


def _share(fit: _Fit, rows: slice) -> float:
    """Evaluations per sample of one model call on some rows."""
    return (rows.stop - rows.start) / fit.budget.rows if fit.splits else 1.0


def _search(fit: _Fit, tables: _Tables, objective: Objective, hosts: list[str]) -> None:
    """Fill `objective.best`: starts for every step count, then refinement, each with its share of what is left."""
    trials: list[Trial] = []
    for count in fit.ladder:
        fit.budget.message = f"{count} steps: first candidates"
        if count <= MANY_STEPS:
            starts = [schedules[count] for schedules in tables.by_gain if count in schedules]
            if trials:
                gains = measured_gains(trials, tables.dense, objective.rows)
                starts += dp_schedules(tables.errors, gains, (count,)).values()
            trials += _run_all(objective, starts, "dynamic programming")
    remaining = list(fit.ladder)
    for count in fit.ladder:
        fit.budget.message = f"{count} steps: refining"
        share = (fit.budget.left - fit.budget.reserve) * count / sum(remaining)
        remaining.remove(count)
        stop = fit.budget.spent + share
        starts = _from_neighbours(fit, objective, count)
        starts += [check_sigmas(fit.baselines[name](count)) for name in hosts[:1]]
        trials += _run_all(objective, starts, "a neighbouring step count or a host's schedule")
        if count > 1:
            best_first = sorted((trial for trial in trials if trial.steps == count), key=lambda trial: trial.error)
            for trial in best_first[:_REFINED_STARTS]:
                refine(objective, trial, fit.sigma_range.sigma_min, stop - fit.budget.spent)


def _run_all(objective: Objective, schedules: Sequence[Tensor], origin: str) -> list[Trial]:
    """Run schedules, each once."""
    trials: list[Trial] = []
    for sigmas in schedules:
        if all(not torch.equal(sigmas, trial.sigmas) for trial in trials):
            trials.append(objective(sigmas, origin=origin))
    return trials


def _from_neighbours(fit: _Fit, objective: Objective, count: int) -> list[Tensor]:
    """A schedule for `count` steps from the refined ones of fewer steps, where there are any."""
    found = {steps: trial.sigmas for steps, trial in objective.best.items() if 2 < steps < count}
    return [StepCounts(found, fit.sigma_range.sigma_min).sigmas(count)] if found else []


def _check(
    fit: _Fit, teacher: Teacher, found: Mapping[int, Tensor], names: Sequence[str], sketch: Sketch
) -> tuple[dict[int, Tensor], dict[int, StepReport]]:
    """Run the found schedules and the host's on the held-out rows; per step count the smallest error is returned."""
    objective = _objective(fit, teacher, fit.held_out, sketch)
    chosen: dict[int, Tensor] = {}
    rows: dict[int, StepReport] = {}
    for count in fit.steps:
        entries = {FITTED: found[count]} if count in found else {}
        entries |= {name: check_sigmas(fit.baselines[name](count), name=name) for name in names}
        trials = {name: objective(sigmas) for name, sigmas in entries.items()}
        errors = {name: trial.error for name, trial in trials.items()}
        switched = {name: mode_switches(trial.rollout.end, objective.reference) for name, trial in trials.items()}
        best = min(errors, key=lambda name: errors[name])
        chosen[count] = entries[best]
        rows[count] = StepReport(count, errors, switched, best)
    return chosen, rows
