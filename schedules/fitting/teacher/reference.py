"""The end states that students are held against, and whether they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.metrics import geometric_mean, sample_errors
from ...core.noise_space import Array
from ...core.sigmas import finish_sigmas
from ..direct import DirectRun
from ..experts import levels_with_boundary
from ..partial import start_from_images
from ..problem import Fit
from .teacher import Teacher, run_teacher, teacher_sigmas

# The reference and its half-as-fine twin may differ by this share of the distance between different samples; a
# stochastic sampler converges slowly on its path, so that its own may differ by more.
TOLERANCE = 0.05
STOCHASTIC_TOLERANCE = 0.15


@dataclass(frozen=True)
class Reference:
    """What the search aims at.

    Attributes:
        teacher: the fine deterministic trajectory of the whole batch.
        end: (B, ...) end states to reach: the teacher's, or those of a stochastic sampler with many steps.
        disagreement: geometric mean RMSE between these and a solution with half the levels.
        converged: whether that is small beside the distance between samples.
        on_path: whether `end` is a stochastic sampler's.
    """

    teacher: Teacher
    end: Tensor
    disagreement: float
    converged: bool
    on_path: bool = False


def make_reference(fit: Fit) -> Reference:
    """Run the teacher and its check; a stochastic sampler also runs itself on many steps of its Brownian paths."""
    if fit.partial is not None and not getattr(fit.run, "has_images", False):
        start_from_images(fit)
    fit.budget.message = "teacher"
    fine = _teacher(fit, fit.effort.teacher_nodes, fit.everything)
    if isinstance(fit.run, DirectRun):
        fit.run.try_splitting(*fine.probe, [fit.search, fit.held_out], fit.budget)
    # A model whose fine solution cannot be trusted shows it on any rows: the held-out ones are the fewest.
    checked = fit.held_out if fit.splits else fit.everything
    coarse = _teacher(fit, fit.effort.check_nodes, checked)
    disagreement, converged = agreement(fine.end, coarse.end, TOLERANCE, checked)
    if not fit.stochastic or not converged:
        return Reference(fine, fine.end, disagreement, converged)
    spent = fit.budget.spent
    ends = [
        fit.rollouts(fit.everything)(finish_sigmas(_levels(fit, nodes)), fit.everything).end
        for nodes in (fit.effort.teacher_nodes, fit.effort.check_nodes)
    ]
    # On top of the effort's limit, which the search needs: how often a sampler calls the model is not known before.
    fit.budget.limit += fit.budget.spent - spent
    return Reference(fine, ends[0], *agreement(ends[0], ends[1], STOCHASTIC_TOLERANCE), on_path=True)


def _teacher(fit: Fit, nodes: int, rows: slice) -> Teacher:
    return run_teacher(fit.run, _levels(fit, nodes), rows, fit.state_sketch(), fit.budget, fit.journal)


def _levels(fit: Fit, nodes: int) -> Array:
    """The reference's noise levels; of two models the second begins on one of them."""
    return levels_with_boundary(teacher_sigmas(nodes, fit.sigma_range, cold=fit.partial is not None), fit.boundary)


def agreement(fine: Tensor, coarse: Tensor, tolerance: float, rows: slice | None = None) -> tuple[float, bool]:
    """(geometric mean RMSE between two solutions, whether it is small beside the distance between samples).

    Args:
        rows: of `fine`, where `coarse` holds these alone.
    """
    difference = geometric_mean(sample_errors(coarse, fine if rows is None else fine[rows]))
    flat = fine.flatten(1).cpu().double()
    distance = float((torch.pdist(flat) / flat.shape[1] ** 0.5).median())
    return difference, difference <= tolerance * max(distance, 1e-12)
