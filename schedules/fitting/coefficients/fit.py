"""Coefficients for the fitted multistep sampler, once a schedule is known: order, start and refinement."""

from __future__ import annotations

from ...core.words import Phrase
from ...samplers.parameters import coefficients_of
from ..objective import Objective, Trial
from ..problem import Problem
from ..teacher.local_errors import DenseTeacher
from .greedy import GreedyFit
from .joint import refine_coefficients

# Model outputs weighed and pull to DPM++ 2M: from free to tame. The held-out rows choose, for the freest always wins
# on the rows that it was fitted to.
_CHOICES = ((4, 1e-3), (3, 1e-2), (2, 1e-1))
MOST_OUTPUTS = max(order for order, _ in _CHOICES)


def fit_coefficients(
    problem: Problem, teacher: DenseTeacher, objective: Objective, held_out: Objective, start: Trial, allowance: float
) -> None:
    """Fill `objective.best_with_coefficients` for the steps of `start`, a trial of the sampler without coefficients.

    Args:
        teacher: on the search rows.
        objective, held_out: of the search rows and of the held-out rows, which decide the order.
        allowance: evaluations per sample.
    """
    stop = problem.budget.spent + allowance
    problem.budget.message = Phrase("{steps} steps: coefficients", steps=start.steps)
    cost = start.steps * (objective.share + held_out.share)
    best, least = objective.best_with_coefficients.get(start.steps), float("inf")  # the family at this model's scale
    if best is not None:
        check = held_out(best.sigmas, coefficients=best.coefficients)
        check.rollout.forget()
        least = check.error
    for order, ridge in _CHOICES:
        if order > start.steps or (best is not None and problem.budget.spent + cost > stop):
            continue
        trial = _greedy(problem, teacher, objective, start, order, ridge)
        # Should time run out in the check, what stood before it stands.
        objective.best_with_coefficients[start.steps] = best or trial
        check = held_out(start.sigmas, coefficients=trial.coefficients)
        check.rollout.forget()
        worse = trial
        if check.error < least:
            best, worse, least = trial, best, check.error
        if worse is not None:
            worse.rollout.forget()
    if best is None:
        return
    problem.budget.message = Phrase("{steps} steps: schedule and coefficients", steps=start.steps)
    # The choice of order stands: freer coefficients would look better here whatever they do elsewhere.
    objective.best_with_coefficients[start.steps] = best
    objective.best_with_coefficients[start.steps] = refine_coefficients(
        objective, best, problem.sigma_range.sigma_min, stop - problem.budget.spent
    )


def _greedy(
    problem: Problem, teacher: DenseTeacher, objective: Objective, start: Trial, order: int, ridge: float
) -> Trial:
    """One run that fits coefficients step by step, and the trial of these, whose calls that run has already made."""
    sampler = GreedyFit(teacher, problem.state_sketch(), objective.rows, order, ridge)
    run = objective.rollouts.with_sampler(sampler)(start.sigmas, objective.rows, start.rollout)
    return objective(
        start.sigmas, run, f"coefficients for {start.origin}", coefficients_of(sampler.theta, start.sigmas)
    )
