"""The search: starts for every step count, then refinement, each count with its share of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..core.sigmas import check_sigmas
from ..core.step_counts import StepCounts
from ..core.words import Phrase
from ..hosts.schedules import DEFAULT_HOST
from .coefficients.fit import fit_coefficients
from .objective import Objective, Trial
from .problem import MANY_STEPS, Problem
from .refine.candidates import dmn_candidates, dp_schedules, gits_candidates, measured_gains, path_cost
from .refine.coordinate_descent import by_local_error, descend_by_coordinates
from .refine.dynamic_programming import propagation_weights
from .refine.gauss_newton import refine
from .refine.oss import oss_schedules
from .teacher.local_errors import DenseTeacher, LocalErrors, densify, local_errors
from .teacher.teacher import Teacher, restricted

# Starts that are refined, best first, as far as the step count's share of the budget goes.
_REFINED_STARTS = 3
# Share of the budget that comparing host schedules may cost.
_CHECK_SHARE = 0.35
# In log error: a sampler whose end states jump has slopes that lead nowhere, and refining along them gains less.
_NO_GAIN = 0.02
# The gain at which host schedules are ranked before anything was run.
_RANKING_GAIN = 0.75


@dataclass(frozen=True)
class AlongTeacher:
    """The search rows as they are known without running a student.

    Attributes:
        teacher: of the whole batch.
        dense: of the search rows, with levels between.
        errors: of single steps along it.
        by_gain: for every assumed gain steps -> sigma list by dynamic programming.
        published: name of a published method -> steps -> sigma list, of the counts that first candidates are run for.
    """

    teacher: Teacher
    dense: DenseTeacher
    errors: LocalErrors
    by_gain: list[dict[int, Tensor]]
    published: dict[str, dict[int, Tensor]]


def along_teacher(problem: Problem, teacher: Teacher) -> AlongTeacher:
    """Local errors of the sampler's rule along the teacher."""
    dense = densify(restricted(teacher, problem.search), 2)
    errors = local_errors(dense, problem.rule)
    by_gain = [dp_schedules(errors, gain, problem.ladder) for gain in problem.effort.gains]
    return AlongTeacher(teacher, dense, errors, by_gain, _published(problem, dense, errors))


def _published(problem: Problem, dense: DenseTeacher, errors: LocalErrors) -> dict[str, dict[int, Tensor]]:
    """The candidates of published methods: none at efforts without them, and none for the recursive search, which
    runs no first candidates."""
    counts = [count for count in problem.ladder if count <= MANY_STEPS]
    if not problem.effort.published or problem.method == "oss":
        return {}
    weights = propagation_weights(errors.sigmas, _RANKING_GAIN)
    cost, check = partial(path_cost, errors, weights), problem.budget.before_call  # this takes seconds
    bounded = dmn_candidates(problem.sigma_range, counts, cost, check)
    return {"GITS": gits_candidates(dense, counts), "DMN": bounded}


def most_hosts(problem: Problem) -> int:
    """Host schedules that are compared at most."""
    return len(problem.baselines) if problem.effort.hosts is None else min(problem.effort.hosts, len(problem.baselines))


def compared_hosts(problem: Problem, along: AlongTeacher) -> list[str]:
    """Host schedules to compare, the most promising along the teacher first.

    All of them where the effort says so and the budget allows; else the leading ones, the host's default among several.
    """
    weights = propagation_weights(along.errors.sigmas, _RANKING_GAIN)
    costs = {
        name: sum(np.log(max(path_cost(along.errors, weights, schedule(count)), 1e-300)) for count in problem.steps)
        for name, schedule in problem.baselines.items()
    }
    ranked = sorted(costs, key=lambda name: costs[name])
    one = sum(problem.steps) * problem.share(problem.held_out)
    first_candidates = len(problem.effort.gains) * sum(problem.ladder)
    first_candidates += sum(sum(schedules) for schedules in along.published.values())
    first_candidates *= problem.share(problem.search)
    left = int((problem.budget.left - first_candidates) / one) - problem.finds  # which are checked too
    affordable = max(1, min(left, max(2, int(_CHECK_SHARE * problem.budget.limit / one))))
    leading = ranked[: min(affordable, most_hosts(problem))]
    if len(leading) > 1 and DEFAULT_HOST in ranked and DEFAULT_HOST not in leading:
        leading[-1] = DEFAULT_HOST
    return leading


def search(
    problem: Problem, along: AlongTeacher, objective: Objective, held_out: Objective, hosts: Sequence[str]
) -> None:
    """Fill `objective.best` and `best_with_coefficients`, so that what was found survives running out of time.

    Args:
        held_out: of the held-out rows; only the order of fitted coefficients is chosen there.
    """
    if problem.method == "oss":
        _recursive_search(problem, along.teacher, objective)
        return
    trials: list[Trial] = []
    for count in problem.ladder:
        problem.budget.message = Phrase("{steps} steps: first candidates", steps=count)
        if count <= MANY_STEPS:
            starts = [schedules[count] for schedules in along.by_gain if count in schedules]
            if trials and problem.effort.measures_gains:
                gains = measured_gains(trials, along.dense, objective.rows)
                starts += dp_schedules(along.errors, gains, (count,)).values()
            trials += _run_all(objective, starts, "dynamic programming")
            _forget_all_but_best(objective, trials)
            for name, schedules in along.published.items():
                further = [sigmas for steps, sigmas in schedules.items() if steps == count]
                trials += _run_all(objective, _unlike(further, trials), name)
                _forget_all_but_best(objective, trials)
    remaining = list(problem.ladder)
    for count in problem.ladder:
        problem.budget.message = Phrase("{steps} steps: refining", steps=count)
        share = (problem.budget.left - problem.budget.reserve) * count / sum(remaining)
        remaining.remove(count)
        stop = problem.budget.spent + share
        starts = _from_neighbours(problem, objective, count)
        if _worth_the_default(problem, count, share):
            starts += _from_hosts(problem, [DEFAULT_HOST], count)
        if problem.effort.measures_gains:
            starts += _from_hosts(problem, hosts, count)[:1]
        trials += _run_all(objective, starts, "a neighbouring step count or a host's schedule")
        if problem.fits_coefficients and count in problem.steps:  # which refines the schedule with its coefficients
            _forget_all_but_best(objective, trials)
            left = stop - problem.budget.spent
            fit_coefficients(problem, along.dense, objective, held_out, objective.best[count], left)
        elif count > 1:
            best_first = sorted((trial for trial in trials if trial.steps == count), key=lambda trial: trial.error)
            for trial in best_first[:_REFINED_STARTS]:
                _forget_all_but_best(objective, trials)
                refine(objective, trial, problem.sigma_range.sigma_min, stop - problem.budget.spent)
                if np.log(best_first[0].error / objective.best[count].error) < _NO_GAIN:
                    _move_sigmas(problem, along, objective, trials, count, stop)


def _move_sigmas(
    problem: Problem, along: AlongTeacher, objective: Objective, trials: Sequence[Trial], count: int, stop: float
) -> None:
    """Where the descent along slopes gained next to nothing: go on sigma by sigma from the best schedule."""
    _forget_all_but_best(objective, trials)
    best, weights = objective.best[count], propagation_weights(along.errors.sigmas, _RANKING_GAIN)
    order = by_local_error(along.errors, weights, best.sigmas)
    descend_by_coordinates(objective, best, problem.sigma_range.sigma_min, stop - problem.budget.spent, order)


def _recursive_search(problem: Problem, teacher: Teacher, objective: Objective) -> None:
    """The recursive search over the teacher's levels, each count's schedule then run once to confirm it."""
    problem.budget.message = Phrase("recursive search")
    schedules = oss_schedules(
        problem.run,
        problem.rule,
        restricted(teacher, problem.search),
        problem.steps,
        rows=problem.search,
        sketch=problem.state_sketch(),
        budget=problem.budget,
        boundary=problem.sampling.boundary,
    )
    for sigmas in schedules.values():
        objective(sigmas, origin="recursive search")


def _run_all(objective: Objective, schedules: Sequence[Tensor], origin: str) -> list[Trial]:
    """Run schedules, each once."""
    trials: list[Trial] = []
    for sigmas in schedules:
        if all(not torch.equal(sigmas, trial.sigmas) for trial in trials):
            trials.append(objective(sigmas, origin=origin))
    return trials


def _unlike(schedules: Sequence[Tensor], trials: Sequence[Trial]) -> list[Tensor]:
    """Those that differ from every one that was run by more than rounding."""
    known = [trial.sigmas for trial in trials]
    return [new for new in schedules if not any(len(new) == len(old) and torch.allclose(new, old) for old in known)]


def _forget_all_but_best(objective: Objective, trials: Sequence[Trial]) -> None:
    """Keep model outputs of one run per step count: what bounds the memory of a fit."""
    for trial in trials:
        if objective.best[trial.steps] is not trial:
            trial.rollout.forget()


def _worth_the_default(problem: Problem, count: int, share: float) -> bool:
    """Whether the host's default is run as a start: in whole runs of flow models, where as much is left to refine it.

    With dpmpp_2m it ended 1.3 to 2.1 times nearer there than dynamic programming's schedule, on three networks at 5 and
    10 steps; on noise prediction 1.2 to 2.5 times farther.
    """
    whole = problem.sampling.start is None
    return whole and problem.sigma_range.flow and share >= 2 * count * problem.share(problem.search)


def _from_hosts(problem: Problem, hosts: Sequence[str], count: int) -> list[Tensor]:
    """The hosts' schedules that start at sigma_max, as a fitted one must: a few of theirs start lower."""
    made = [check_sigmas(problem.baselines[name](count), name=name) for name in hosts if name in problem.baselines]
    return [sigmas for sigmas in made if float(sigmas[0]) > problem.sigma_range.sigma_max * (1.0 - 1e-6)]


def _from_neighbours(problem: Problem, objective: Objective, count: int) -> list[Tensor]:
    """A schedule for `count` steps from the refined ones of fewer steps, where there are any."""
    smaller = {steps: trial.sigmas for steps, trial in objective.best.items() if 2 < steps < count}
    return [StepCounts(smaller, problem.sigma_range.sigma_min, fill=False).sigmas(count)] if smaller else []
