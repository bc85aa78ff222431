"""From the reference to the report: what a fit does, for one sampler or a choice of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .budget import OutOfTimeError
from .check import Candidate, held_out_check
from .experts import switch_sentences
from .objective import Objective
from .problem import Fit
from .refine.oss_cost import oss_limit
from .report import FITTED, WITHOUT_COEFFICIENTS, Report
from .search import compared_hosts, make_tables, most_hosts, search
from .teacher.reference import Reference, make_reference


@dataclass(frozen=True)
class Outcome:
    """What a fit returns: the sampler's name, steps -> sigmas, steps -> coefficients where they won, and the report."""

    sampler: str
    schedules: Mapping[int, Tensor]
    tables: Mapping[int, Tensor]
    report: Report


def run_fits(fits: Sequence[Fit]) -> Outcome:
    """Fit every sampler on one reference, choose by the search rows, check the choice on the held-out rows.

    Args:
        fits: the same fit for one sampler or several (deterministic) ones; they share their budget.
    """
    fit, budget = fits[0], fits[0].budget
    if fit.method == "oss":
        budget.limit = oss_limit(fit, most_hosts(fit))
    each = budget.limit
    reference = make_reference(fit)
    each -= budget.spent
    budget.limit += each * (len(fits) - 1)
    objectives = [fit.objective(reference.end, fit.search) for fit in fits]
    compared, said = [list(fit.baselines)] * len(fits), [_first_notes(fit, reference) for fit in fits]
    if reference.converged:
        later = [each * (len(fits) - 1 - number) for number in range(len(fits))]
        compared = [_search(*one, reference) for one in zip(fits, objectives, said, later)]
    best = int(np.argmin([mean_log_error(objective, fit.steps) for objective in objectives]))
    fit, objective, hosts, notes = fits[best], objectives[best], compared[best], said[best]
    if len(fits) > 1 and reference.converged:
        notes.append(_choice(fits, objectives, best))
    budget.reserve = budget.reserve_in_time = 0.0
    budget.message = "held-out check"
    found = {count: found_for(objective, count) for count in fit.steps if count in objective.best}
    winners, rows = held_out_check(fit, fit.objective(reference.end, fit.held_out), found, hosts)
    schedules = {count: winner.sigmas for count, winner in winners.items()}
    tables = {count: winner.table for count, winner in winners.items() if winner.table is not None}
    unchecked = [str(count) for count in fit.steps if not rows[count].errors]
    if unchecked:
        notes.append(f"There was no time for the held-out check of {', '.join(unchecked)} steps.")
    if fit.boundary is not None:
        notes += switch_sentences(schedules, fit.boundary)
    report = Report(
        rows=rows,
        held_out=fit.held_out.stop - fit.held_out.start,
        samples=fit.held_out.stop,
        teacher_error=reference.disagreement,
        skipped=tuple(name for name in fit.baselines if name not in hosts),
        notes=tuple(notes),
    )
    return Outcome(fit.sampler_name, schedules, tables, report)


def _search(fit: Fit, objective: Objective, notes: list[str], later: float, reference: Reference) -> list[str]:
    """Search for one sampler, keeping `later` evaluations for those to come; returns the host schedules to compare."""
    tables = make_tables(fit, reference.teacher)
    hosts = compared_hosts(fit, tables)
    one_schedule = sum(fit.steps) * fit.share(fit.held_out)
    fit.budget.reserve = one_schedule * (len(hosts) + fit.finds) + later
    # What was found and one host's; others can be skipped.
    fit.budget.reserve_in_time = (fit.finds + 1.0) * one_schedule
    try:
        search(fit, tables, reference.teacher, objective, fit.objective(reference.end, fit.held_out), hosts)
    except OutOfTimeError:
        notes.append("The minutes were used up before the search was through: these are the best schedules so far.")
    missing = [str(count) for count in fit.steps if count not in objective.best]
    if missing:
        notes.append(f"There was no time to fit {', '.join(missing)} steps: the best host schedule stands in.")
    return hosts


def found_for(objective: Objective, count: int) -> dict[str, Candidate]:
    """What the search found for a step count, by the report's names."""
    plain, fitted = objective.best[count], objective.best_table.get(count)
    if fitted is None:
        return {FITTED: Candidate(plain.sigmas)}
    return {FITTED: Candidate(fitted.sigmas, fitted.table), WITHOUT_COEFFICIENTS: Candidate(plain.sigmas)}


def mean_log_error(objective: Objective, steps: Sequence[int]) -> float:
    """Mean over step counts of the log of the best error found; inf where one was not reached."""
    if any(count not in objective.best for count in steps):
        return float("inf")
    best = [objective.best_table.get(count, objective.best[count]) for count in steps]
    return float(np.mean([np.log(trial.error) for trial in best]))


def _choice(fits: Sequence[Fit], objectives: Sequence[Objective], best: int) -> str:
    """One sentence on how the samplers compared."""
    errors = {fit.sampler_name: mean_log_error(objective, fit.steps) for fit, objective in zip(fits, objectives)}
    least = errors[fits[best].sampler_name]
    ratios = ", ".join(
        f"{name} {np.exp(error - least):.2f}x" if np.isfinite(error) else f"{name} not reached"
        for name, error in sorted(errors.items(), key=lambda item: item[1])
    )
    return f"Each sampler with its own fit, error on the samples it was fitted to beside the best: {ratios}."


def _first_notes(fit: Fit, reference: Reference) -> list[str]:
    """Sentences on how the fit was done, known before the search."""
    notes: list[str] = [] if fit.partial is None else [fit.partial.in_words()]
    if not fit.splits:
        notes.append("The denoiser takes the whole batch only: every run cost all of its rows.")
    if fit.stochastic:
        notes.append(f"{fit.sampler_name} draws noise: it was fitted against itself with many steps on the same noise.")
    if not reference.converged and reference.on_path:
        notes.append(
            f"Nothing was fitted: {fit.sampler_name} in {fit.effort.check_nodes} and {fit.effort.teacher_nodes} steps "
            f"on the same noise ends {reference.disagreement:.3g} apart: it has no result with many steps to aim at. "
            "Fit for a sampler without noise and try that schedule with it."
        )
    elif not reference.converged:
        notes.append(
            "Nothing was fitted: the reference solutions with "
            f"{fit.effort.check_nodes} and {fit.effort.teacher_nodes} levels end {reference.disagreement:.3g} apart, "
            "as on few-step (distilled) models. Use the sigma list that the model was published with."
        )
    return notes
