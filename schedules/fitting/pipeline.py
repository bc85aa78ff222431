"""From the reference to the report: what a fit does, for one sampler or a choice of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from .budget import OutOfTimeError
from .check import Candidate, held_out_check
from .experts import switch_sentences
from .objective import Objective
from .problem import Problem
from .refine.oss_cost import oss_limit
from .report import FITTED, WITHOUT_COEFFICIENTS, Report
from .search import along_teacher, compared_hosts, most_hosts, search
from .self_test.verdict import most_evaluations, self_test
from .teacher.reference import Reference, make_reference


@dataclass(frozen=True)
class Solution:
    """The sampler's name, steps -> sigmas, steps -> coefficients where they won, and the report."""

    sampler: str
    schedules: Mapping[int, Tensor]
    coefficients: Mapping[int, Tensor]
    report: Report


def solve(problems: Sequence[Problem], suspects: str = "") -> Solution:
    """The best sampler's schedules: every sampler is searched for on one reference, the choice made on the search rows.

    Args:
        problems: of one sampler or several (deterministic) ones, equal but for that; they share their budget.
        suspects: a sentence on what the host knows on the model, for a refusal by the self-test.
    """
    first, budget = problems[0], problems[0].budget
    if first.method == "oss":
        # Its limit is what it takes, to which the self-test's calls come.
        budget.limit = oss_limit(first, most_hosts(first)) + most_evaluations(first.run, first.held_out.stop)
    problems = _tested(problems, suspects)
    first, each = problems[0], budget.limit
    reference = make_reference(first)
    each -= budget.spent
    budget.limit += each * (len(problems) - 1)
    searches = [Search(problem, problem.objective(reference.end, problem.search), reference) for problem in problems]
    if reference.converged:
        for number, search in enumerate(searches, start=1):
            search.run(later=each * (len(problems) - number))
    best = min(searches, key=lambda search: search.mean_log_error)
    notes = list(best.notes)
    if len(searches) > 1 and reference.converged:
        notes.append(_choice(searches, best))
    return _checked(best, notes)


def _tested(problems: Sequence[Problem], suspects: str) -> list[Problem]:
    """The problems with the verdict of the self-test."""
    first = problems[0]
    samplers = {problem.sampler_name: problem.sampler for problem in problems}
    rows, seed = first.held_out.stop, first.sampling.seed
    verdict = self_test(first.run, samplers, first.sigma_range, first.shape, rows, first.budget, suspects, seed)
    if first.journal is not None:
        first.journal.calls = verdict.remembers
    return [replace(problem, verdict=verdict) for problem in problems]


def _checked(search: Search, notes: list[str]) -> Solution:
    """The solution once the held-out rows have judged it."""
    problem, objective, reference = search.problem, search.objective, search.reference
    problem.budget.reserve = problem.budget.reserve_in_time = 0.0
    problem.budget.message = "held-out check"
    candidates = {count: candidates_of(objective, count) for count in problem.steps if count in objective.best}
    judge = problem.objective(reference.end, problem.held_out)
    winners, rows = held_out_check(problem, judge, candidates, search.hosts)
    schedules = {count: winner.sigmas for count, winner in winners.items()}
    unchecked = [str(count) for count in problem.steps if not rows[count].errors]
    if unchecked:
        notes.append(f"There was no time for the held-out check of {', '.join(unchecked)} steps.")
    notes += switch_sentences(schedules, problem.sampling.boundary)
    report = Report(
        rows=rows,
        held_out=problem.held_out.stop - problem.held_out.start,
        samples=problem.held_out.stop,
        teacher_error=reference.disagreement,
        skipped=tuple(name for name in problem.baselines if name not in search.hosts),
        notes=tuple(notes),
    )
    coefficients = {count: winner.coefficients for count, winner in winners.items() if winner.coefficients is not None}
    return Solution(problem.sampler_name, schedules, coefficients, report)


@dataclass
class Search:
    """One sampler's search, and what it says.

    Attributes:
        hosts: names of the host schedules to compare; all of them where nothing was searched.
        notes: sentences for the report.
    """

    problem: Problem
    objective: Objective
    reference: Reference
    hosts: list[str] = field(init=False)
    notes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.hosts, self.notes = list(self.problem.baselines), _first_notes(self.problem, self.reference)

    def run(self, later: float) -> None:
        """Search, keeping `later` evaluations per sample for what comes after it and its check."""
        problem, budget = self.problem, self.problem.budget
        along = along_teacher(problem, self.reference.teacher)
        self.hosts = compared_hosts(problem, along)
        one_schedule = sum(problem.steps) * problem.share(problem.held_out)
        budget.reserve = one_schedule * (len(self.hosts) + problem.finds) + later
        # What was solved and one host's; others can be skipped.
        budget.reserve_in_time = (problem.finds + 1.0) * one_schedule
        held_out = problem.objective(self.reference.end, problem.held_out)
        try:
            search(problem, along, self.objective, held_out, self.hosts)
        except OutOfTimeError:
            self.notes.append(
                "The minutes were used up before the search was through: these are the best schedules so far."
            )
        missing = [str(count) for count in problem.steps if count not in self.objective.best]
        if missing:
            self.notes.append(f"There was no time to fit {', '.join(missing)} steps: the best host schedule stands in.")

    @property
    def mean_log_error(self) -> float:
        """Mean over step counts of the log of the least error; inf where one was not reached."""
        objective, steps = self.objective, self.problem.steps
        if any(count not in objective.best for count in steps):
            return float("inf")
        best = [objective.best_with_coefficients.get(count, objective.best[count]) for count in steps]
        return float(np.mean([np.log(trial.error) for trial in best]))


def candidates_of(objective: Objective, count: int) -> dict[str, Candidate]:
    """The results of the search for a step count, by the report's names."""
    plain, fitted = objective.best[count], objective.best_with_coefficients.get(count)
    if fitted is None:
        return {FITTED: Candidate(plain.sigmas)}
    return {FITTED: Candidate(fitted.sigmas, fitted.coefficients), WITHOUT_COEFFICIENTS: Candidate(plain.sigmas)}


def _choice(searches: Sequence[Search], best: Search) -> str:
    """One sentence on how the samplers compared."""
    errors = {search.problem.sampler_name: search.mean_log_error for search in searches}
    ratios = ", ".join(
        f"{name} {np.exp(error - best.mean_log_error):.2f}x" if np.isfinite(error) else f"{name} not reached"
        for name, error in sorted(errors.items(), key=lambda item: item[1])
    )
    return f"Each sampler with its own fit, error on the samples it was fitted to beside the best: {ratios}."


def _first_notes(problem: Problem, reference: Reference) -> list[str]:
    """Sentences on how the fit was done, known before the search."""
    name, effort = problem.sampler_name, problem.effort
    notes: list[str] = [] if problem.sampling.start is None else [problem.sampling.start.in_words()]
    notes += problem.verdict.notes
    if not problem.splits:
        notes.append("The denoiser takes the whole batch only: every run cost all of its rows.")
    if problem.stochastic:
        notes.append(f"{name} draws noise: it was fitted against itself with many steps on the same noise.")
    if not reference.converged and reference.on_path:
        notes.append(
            f"Nothing was fitted: {name} in {effort.check_nodes} and {effort.teacher_nodes} steps "
            f"on the same noise ends {reference.disagreement:.3g} apart: it has no result with many steps to aim at. "
            "Fit for a sampler without noise and try that schedule with it."
        )
    elif not reference.converged:
        notes.append(
            "Nothing was fitted: the reference solutions with "
            f"{effort.check_nodes} and {effort.teacher_nodes} levels end {reference.disagreement:.3g} apart, "
            "as on few-step (distilled) models. Use the sigma list that the model was published with."
        )
    return notes
