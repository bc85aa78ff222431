"""From the reference to the report: what a fit does, for one sampler or a choice of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ..core.noise_space import SigmaRange, flow_top
from ..core.words import Phrase
from ..family.place import FamilyPlace
from .budget import OutOfTimeError
from .check import Candidate, held_out_check
from .experts import switch_sentences
from .objective import Objective, Trial
from .place import FAMILY_RUN
from .problem import Problem
from .race import Race, can_race, raced_counts
from .refine.oss_cost import oss_limit
from .report import FAMILY, FITTED, WITHOUT_COEFFICIENTS, Report
from .search import along_teacher, compared_hosts, most_hosts, search
from .self_test.verdict import most_evaluations, self_test
from .teacher.reference import Reference, first_output_distance, make_reference
from .verdict import Verdict

# A first output nearer to the end than this share of the distance between images is a distilled model's.
_DISTILLED = 0.38
# Ranges of noise levels that few levels of a reference do not cover: SD's is 500.
_WIDE = 5_000.0
# Share of what a refining fit may spend that the race before it takes at most.
_RACE_SHARE = 0.4


@dataclass(frozen=True)
class Solution:
    """The sampler's name, steps -> sigmas, steps -> coefficients where they won, the report, where the family lies."""

    sampler: str
    schedules: Mapping[int, Tensor]
    coefficients: Mapping[int, Tensor]
    report: Report
    family: FamilyPlace | None = None


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
    if first.effort.total is None:
        each -= budget.spent
        budget.limit += each * (len(problems) - 1)
    else:
        each = budget.left / len(problems)
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
    verdict, journal = _verdict(problems, suspects), problems[0].journal
    if journal is not None:
        journal.calls = verdict.remembers
    return [replace(problem, verdict=verdict) for problem in problems]


def _verdict(problems: Sequence[Problem], suspects: str) -> Verdict:
    """The self-test's: of the records, which belong to the fit's identity and to a model that answers as this one."""
    first, budget, journal = problems[0], problems[0].budget, problems[0].journal
    key = "" if journal is None else journal.key("self-test")
    if journal is not None and (record := journal.read(key)) is not None:
        budget.rows_planned += int(record["rows"])
        return Verdict.of_tensors(record)
    before = budget.rows_planned
    samplers = {problem.sampler_name: problem.sampler for problem in problems}
    rows, seed = first.held_out.stop, first.sampling.seed
    verdict = self_test(first.run, samplers, first.sigma_range, first.shape, rows, budget, suspects, seed)
    # Where rows take turns, the test has also told the run so: it is made again then.
    if journal is not None and verdict.together:
        journal.write(key, {**verdict.as_tensors(), "rows": torch.tensor(budget.rows_planned - before)})
    return verdict


def _checked(search: Search, notes: list[str]) -> Solution:
    """The solution once the held-out rows have judged it."""
    problem, reference = search.problem, search.reference
    problem.budget.reserve = problem.budget.reserve_in_time = 0.0
    problem.budget.message = Phrase("held-out check")
    candidates = {count: named for count in problem.steps if (named := candidates_of(search, count))}
    judge = problem.objective(reference.end, problem.held_out)
    winners, rows = held_out_check(problem, judge, candidates, search.hosts, reference.error)
    schedules = {count: _from_top(winner.sigmas, problem.sigma_range) for count, winner in winners.items()}
    unchecked = [str(count) for count in problem.steps if not rows[count].errors]
    if unchecked:
        notes.append(f"There was no time for the held-out check of {', '.join(unchecked)} steps.")
    notes += switch_sentences(schedules, problem.sampling.boundary)
    report = Report(
        rows=rows,
        held_out=problem.held_out.stop - problem.held_out.start,
        samples=problem.held_out.stop,
        teacher_error=reference.disagreement,
        reference_error=reference.error,
        seconds_a_call=problem.budget.seconds_a_row,
        skipped=tuple(name for name in problem.baselines if name not in search.hosts),
        notes=tuple(notes),
        reference=reference.end[problem.held_out].cpu() if reference.converged else None,
    )
    coefficients = {count: winner.coefficients for count, winner in winners.items() if winner.coefficients is not None}
    return Solution(problem.sampler_name, schedules, coefficients, report, search.family)


def _from_top(sigmas: Tensor, sigma_range: SigmaRange) -> Tensor:
    """A list whose first sigma is no float32 rounding above a flow model's 1, as a host's own lists may start."""
    if not sigma_range.flow or float(sigmas[0]) <= sigma_range.sigma_max:
        return sigmas
    return torch.cat([sigmas.new_tensor([flow_top(float(sigmas[0]))]), sigmas[1:]])


@dataclass
class Search:
    """One sampler's search, and what it says.

    Attributes:
        hosts: names of the host schedules to compare; all of them where nothing was searched.
        notes: sentences for the report.
        family: where the race put it; None where there was none.
        raced: steps -> the family there.
    """

    problem: Problem
    objective: Objective
    reference: Reference
    hosts: list[str] = field(init=False)
    notes: list[str] = field(init=False)
    family: FamilyPlace | None = field(init=False, default=None)
    raced: dict[int, Trial] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.hosts, self.notes = list(self.problem.baselines), _first_notes(self.problem, self.reference)

    def run(self, later: float) -> None:
        """Search, keeping `later` evaluations per sample for what comes after it and its check."""
        problem, budget = self.problem, self.problem.budget
        one_schedule = sum(problem.steps) * problem.share(problem.held_out)
        # What was solved and one host's; others can be skipped.
        budget.reserve_in_time = (problem.finds + 1.0) * one_schedule
        held_out = problem.objective(self.reference.end, problem.held_out)
        try:
            along = along_teacher(problem, self.reference.teacher)
            self.hosts = compared_hosts(problem, along)
            budget.reserve = one_schedule * (len(self.hosts) + problem.finds) + later
            if can_race(problem):
                self._race()
            if problem.effort.refines or not can_race(problem):
                search(problem, along, self.objective, held_out, self.hosts)
        except OutOfTimeError:
            self.notes.append(
                "The minutes were used up before the search was through: these are the best schedules so far."
            )
        missing = [str(count) for count in problem.steps if self._best(count) is None]
        if missing:
            self.notes.append(f"There was no time to fit {', '.join(missing)} steps: the best host schedule stands in.")

    def _race(self) -> None:
        """Find where the family lies on the model, and run it there at every count that it has."""
        problem = self.problem
        race, raced = Race(problem, self.objective), raced_counts(problem)
        # A quick fit has nothing else for counts that the family has no coefficients for.
        others = [] if problem.effort.refines else [count for count in problem.steps if count not in raced]
        left = problem.budget.left - problem.budget.reserve - sum(others) * self.objective.share
        left *= _RACE_SHARE if problem.effort.refines else 1.0
        for number, count in enumerate(raced):
            spent, share = problem.budget.spent, count / sum(raced[number:])
            place, self.raced[count] = race.run(count, share * left, self.family)
            left -= problem.budget.spent - spent
            self.family = self.family or place
        assert self.family is not None  # there is a count to race at
        moved = any(trial.origin != FAMILY_RUN for trial in self.raced.values())
        for count in others:
            self.raced[count] = race.trial(count, self.family.at_steps(count))
            self.raced[count].rollout.forget()
        self.notes.append(self.family.in_words(moved=moved))

    @property
    def mean_log_error(self) -> float:
        """Mean over step counts of the log of the least error; inf where one was not reached."""
        best = [self._best(count) for count in self.problem.steps]
        return float(np.mean([np.inf if trial is None else np.log(trial.error) for trial in best]))

    def _best(self, count: int) -> Trial | None:
        objective = self.objective
        return objective.best_with_coefficients.get(count) or objective.best.get(count)


def candidates_of(search: Search, count: int) -> dict[str, Candidate]:
    """The results of the search for a step count, by the report's names; empty where there are none."""
    plain = search.objective.best.get(count)
    fitted = search.objective.best_with_coefficients.get(count)
    best, raced = fitted or plain, search.raced.get(count)
    if raced is not None and not search.problem.effort.refines:
        best, plain = raced, None  # what the race chose, which need not be the luckiest of its runs
    if best is None:
        return {}
    named = {FITTED: best}
    if raced is not None and not torch.equal(raced.sigmas, best.sigmas):
        named[FAMILY] = raced
    if fitted is not None and plain is not None:
        named[WITHOUT_COEFFICIENTS] = plain
    return {name: Candidate(trial.sigmas, trial.coefficients) for name, trial in named.items()}


def _choice(searches: Sequence[Search], best: Search) -> str:
    """One sentence on how the samplers compared."""
    errors = {search.problem.sampler_name: search.mean_log_error for search in searches}
    ratios = ", ".join(
        f"{name} {np.exp(error - best.mean_log_error):.2f}x" if np.isfinite(error) else f"{name} not reached"
        for name, error in sorted(errors.items(), key=lambda item: item[1])
    )
    return f"Each sampler with its own fit, error on the samples it was fitted to beside the best: {ratios}."


def _why_apart(problem: Problem, reference: Reference) -> str:
    """The likely cause where two references end far apart, and what to do about it."""
    whole, limits = problem.sampling.start is None, problem.sigma_range
    if whole and first_output_distance(reference) >= _DISTILLED and limits.sigma_max / limits.sigma_min > _WIDE:
        return (
            f"which are few for noise levels from {limits.sigma_min:g} to {limits.sigma_max:g}: a higher effort takes "
            "more of them."
        )
    return "as on few-step (distilled) models. Use the sigma list that the model was published with."


def _first_notes(problem: Problem, reference: Reference) -> list[str]:
    """Sentences on how the fit was done, known before the search."""
    name, (coarse, fine) = problem.sampler_name, reference.levels
    notes: list[str] = [] if problem.sampling.start is None else [problem.sampling.start.in_words()]
    notes += problem.verdict.notes
    if problem.frequency_weight != 1.0:
        notes.append(
            f"An error in the finest detail counted {problem.frequency_weight:g} times as much as one in flat areas, "
            "in the search and in the errors told."
        )
    if not problem.splits:
        notes.append("The denoiser takes the whole batch only: every run cost all of its rows.")
    if problem.stochastic:
        notes.append(f"{name} draws noise: it was fitted against itself with many steps on the same noise.")
    if not reference.converged and reference.on_path:
        notes.append(
            f"Nothing was fitted: {name} in {coarse} and {fine} steps "
            f"on the same noise ends {reference.disagreement:.3g} apart: it has no result with many steps to aim at. "
            "Fit for a sampler without noise and try that schedule with it."
        )
    elif not reference.converged:
        notes.append(
            "Nothing was fitted: the reference solutions with "
            f"{coarse} and {fine} levels end {reference.disagreement:.3g} apart, {_why_apart(problem, reference)}"
        )
    elif problem.sampling.start is None and (near := first_output_distance(reference)) < _DISTILLED:
        notes.append(
            f"The model's first output from pure noise is already near the end ({near:.2f} of the distance between "
            "images), as on models distilled to few steps: their many-step result is not what they were made to show. "
            "Look at pictures before you use the fit."
        )
    return notes
