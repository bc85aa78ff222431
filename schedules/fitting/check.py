"""The held-out check: fitted schedules against what the hosts ship, on rows that the search did not fit to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..core.frequencies import fine_part, has_detail
from ..core.metrics import geometric_mean, mode_switches, sample_errors
from ..core.sigmas import check_sigmas
from ..hosts.schedules import DEFAULT_HOST
from .budget import OutOfTimeError
from .claims import claimed_gain, host_is_nearer
from .objective import Objective, Trial
from .problem import Problem
from .report import FITTED, OURS, StepReport

# How many times its own steps a fit is said to be worth at most: beyond, two runs of a host's schedule tell little.
_MOST_WORTH = 4.0


@dataclass(frozen=True)
class Candidate:
    """A schedule, and the coefficients that belong to it; without them the sampler runs as it is."""

    sigmas: Tensor
    coefficients: Tensor | None = None


def held_out_check(
    problem: Problem,
    objective: Objective,
    fitted: Mapping[int, Mapping[str, Candidate]],
    hosts: Sequence[str],
    least: float = 0.0,
) -> tuple[dict[int, Candidate], dict[int, StepReport]]:
    """Run the fitted schedules and the host's on the held-out rows.

    Args:
        objective: of the held-out rows.
        fitted: steps -> results of the search, by the report's names, FITTED first; missing where there are none.
        hosts: names of the host schedules to compare.
        least: the reference's own error; NaN where it is not known.
    Returns:
        steps -> the winner, and steps -> StepReport.
    """
    chosen: dict[int, Candidate] = {}
    rows: dict[int, StepReport] = {}
    for count in problem.steps:
        entries = dict(fitted.get(count, {}))
        entries |= {name: Candidate(check_sigmas(problem.baselines[name](count), name=name)) for name in hosts}
        trials: dict[str, Trial] = {}
        try:
            for name, entry in entries.items():
                trials[name] = objective(entry.sigmas, coefficients=entry.coefficients)
                trials[name].rollout.forget()  # nothing will be run from its calls
        except OutOfTimeError:
            if not trials and not (entries and (fitted or chosen)):
                raise
        errors = {name: trial.error for name, trial in trials.items()}
        rivals = [trial for name, trial in trials.items() if name in hosts]
        switched = {name: mode_switches(trial.rollout.end, objective.reference) for name, trial in trials.items()}
        # Unchecked, the fitted schedule stands, or the host's that looked best along the teacher.
        best = winner(trials, count, problem.sampler_name) if trials else next(iter(entries))
        chosen[count] = entries[best]
        gain = None
        if rivals and best in trials and best not in hosts:
            rival = min(rivals, key=lambda trial: trial.error)
            gain = claimed_gain(trials[best].errors, rival.errors, problem.sampler_name, count, least)
        end = trials[best].rollout.end.cpu() if best in trials else None
        pictures = trials if has_detail(problem.shape) else {}
        fine = {name: _fine_error(trial, objective) for name, trial in pictures.items()}
        rows[count] = StepReport(count, errors, switched, best, gain, end, fine=fine)
    # What is left once everything is checked.
    return chosen, {count: replace(row, worth=_worth(problem, objective, row, least)) for count, row in rows.items()}


def _worth(problem: Problem, objective: Objective, row: StepReport, least: float) -> float | None:
    """Steps of the host's default schedule that end as near as a fit, at most _MOST_WORTH times its own; None where it
    was not run or one more run of it is not in the budget.

    From its errors at the fit's steps and at twice as many, straight in the logarithms of both.
    """
    steps = row.steps
    if row.gain is None or DEFAULT_HOST not in row.errors or problem.budget.left < 2 * steps * objective.share:
        return None
    try:
        sigmas = check_sigmas(problem.baselines[DEFAULT_HOST](2 * steps), name=DEFAULT_HOST)
        twice = objective(sigmas)
    except (OutOfTimeError, ValueError):
        return None
    twice.rollout.forget()
    known = row.errors[DEFAULT_HOST], twice.error, row.errors[row.chosen]
    floor = max(least, 1e-12) if least == least else 1e-12  # NaN where it is not known
    first, second, own = (math.log(max(error, floor)) for error in known)
    if own >= first:
        return float(steps)
    order = max((first - second) / math.log(2.0), 1e-9)
    return min(steps * math.exp(min((first - own) / order, 10.0)), _MOST_WORTH * steps)


def _fine_error(trial: Trial, objective: Objective) -> float:
    """Geometric mean of the RMSE in fine detail alone."""
    return geometric_mean(sample_errors(fine_part(trial.rollout.end), fine_part(objective.reference)))


def winner(trials: Mapping[str, Trial], steps: int, sampler: str = "") -> str:
    """The fitted schedule, unless another beats it on the held-out rows: by the mean and on most of the samples.

    On a few rows one sample that changed mode can decide the mean alone, against a schedule that is better on all the
    others. A host's must be *shown* to be better, with what fits of other models gained (claims.py): the luckiest of
    many host schedules looks good on few rows. Without a fitted schedule, the smallest mean.

    Args:
        steps: of the runs.
        sampler: name of the sampler that was fitted for.
    """
    names = sorted(trials, key=lambda name: trials[name].error)
    fitted = trials.get(FITTED)
    if fitted is None:
        return names[0]
    for name in names[: names.index(FITTED)]:
        shown = name in OURS or host_is_nearer(fitted.errors, trials[name].errors, sampler, steps)
        if shown and int((trials[name].errors < fitted.errors).sum()) * 2 > len(fitted.errors):
            return name
    return FITTED
