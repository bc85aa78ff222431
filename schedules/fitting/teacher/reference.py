"""The end states that students are held against, and whether they can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...core.metrics import geometric_mean, sample_errors
from ...core.noise_space import Array
from ...core.run import StartsFromImages
from ...core.sigmas import finish_sigmas
from ...core.words import Phrase
from ..direct import DirectRun
from ..experts import levels_with_boundary
from ..partial import PartialStart
from ..problem import Problem
from ..teacher_levels import teacher_sigmas
from .teacher import Teacher, run_teacher

# The reference and its half-as-fine twin may differ by a share of the distance between different samples (effort.py); a
# stochastic sampler converges slowly on its path, so that its own may differ by more.
STOCHASTIC_TOLERANCE = 0.15
# Two that differ by up to so many times that are a hard model's, for which more levels help; a distilled one's are far
# apart at any number of levels. They may take this share of what the fit may spend.
_NEAR, _MORE_LEVELS = 4.0, 0.3
# Share by which they may differ where no more levels can be had: the finer one's own error is a part of that, and
# little gain is counted below it.
_ROUGH = 0.2


@dataclass(frozen=True)
class Reference:
    """End states that the search aims at, and how far they can be trusted.

    Attributes:
        teacher: the fine deterministic trajectory of the whole batch.
        end: (B, ...) end states to reach: the teacher's, or those of a stochastic sampler with many steps.
        disagreement: geometric mean RMSE between these and a solution with half the levels.
        converged: whether that is small beside the distance between samples.
        on_path: whether `end` is a stochastic sampler's.
        levels: of the coarser solution and of the finer one.
    """

    teacher: Teacher
    end: Tensor
    disagreement: float
    converged: bool
    on_path: bool = False
    levels: tuple[int, int] = (0, 0)

    @property
    def error(self) -> float:
        """About how far `end` is from the true end states: errors fall at least as the square of the levels, and the
        coarser solution's is what the two differ by.

        On eight networks of the zoo .4 to 1.4 times this for 40 levels and 20, 1 to 2.2 times for 24 and 18. A
        stochastic sampler converges slowly on its path: as far as the two are apart.
        """
        coarse, fine = self.levels
        return self.disagreement * (1.0 if self.on_path or not fine else (coarse / fine) ** 2)


def make_reference(problem: Problem) -> Reference:
    """Run the teacher and its check; a stochastic sampler also runs itself on many steps of its Brownian paths."""
    if problem.sampling.start is not None and isinstance(problem.run, StartsFromImages) and not problem.run.has_images:
        _start_from_images(problem, problem.run, problem.sampling.start)
    problem.budget.message = Phrase("reference")
    fine = _teacher(problem, _levels(problem, problem.effort.teacher_nodes), problem.everything)
    if isinstance(problem.run, DirectRun):
        problem.run.try_splitting(*fine.probe, [problem.search, problem.held_out], problem.budget)
    # A model whose fine solution cannot be trusted shows it on any rows: the held-out ones are the fewest.
    checked = problem.held_out if problem.splits else problem.everything
    coarse = _teacher(problem, _levels(problem, problem.effort.check_nodes), checked)
    disagreement, converged = agreement(fine.end, coarse.end, problem.effort.tolerance, checked)
    levels = (problem.effort.check_nodes, problem.effort.teacher_nodes)
    reference = Reference(fine, fine.end, disagreement, converged, levels=levels)
    if not converged:
        return reference if problem.stochastic else _refined(problem, reference, coarse.end, checked)
    if not problem.stochastic:
        return reference
    spent = problem.budget.spent
    ends = [
        problem.rollouts(problem.everything)(finish_sigmas(_levels(problem, nodes)), problem.everything).end
        for nodes in (problem.effort.teacher_nodes, problem.effort.check_nodes)
    ]
    # On top of the effort's limit, which the search needs: how often a sampler calls the model is not known before.
    problem.budget.limit += problem.budget.spent - spent
    return Reference(fine, ends[0], *agreement(ends[0], ends[1], STOCHASTIC_TOLERANCE), on_path=True, levels=levels)


def _refined(problem: Problem, reference: Reference, coarse: Tensor, checked: slice) -> Reference:
    """The reference with twice the levels, where that is likely to settle it and leaves enough for the search; else as
    it is, to be trusted where its halves differ by no more than _ROUGH, or where the `checked` rows with twice the
    levels say that its error is no larger than one of such halves would be.

    Args:
        coarse: end states with half the levels, of the `checked` rows.
    """
    nodes, budget = 2 * problem.effort.teacher_nodes, problem.budget
    _, near = agreement(reference.end, coarse, _NEAR * problem.effort.tolerance, checked)
    most = min(_MORE_LEVELS * budget.limit, budget.left) if near else 0.0
    if nodes <= most:
        end = _teacher(problem, _levels(problem, nodes), problem.everything).end
        agreed = agreement(end, reference.end, _ROUGH)
        return Reference(reference.teacher, end, *agreed, levels=(nodes // 2, nodes))
    rough = replace(reference, converged=agreement(reference.end, coarse, _ROUGH, checked)[1])
    if rough.converged or nodes * problem.share(checked) > most:
        return rough
    end = _teacher(problem, _levels(problem, nodes), checked).end
    difference, converged = agreement(reference.end, end, _ROUGH / 4.0, checked)
    if not converged:
        return rough
    # What the two differ by is the error of the coarser, which is the reference here.
    return replace(reference, disagreement=difference, converged=True, levels=(nodes // 2, nodes // 2))


def first_output_distance(reference: Reference) -> float:
    """How far the model's output from pure noise is from where the run ends, over the distance between images.

    .43 to 3.4 on networks of the zoo, with guidance 1 to 10, .33 on the one distilled to few steps. Medians over rows;
    NaN where there are fewer than three.
    """
    teacher = reference.teacher
    first, end = teacher.outputs[0], teacher.end_sketch
    if len(end) < 3:
        return math.nan
    apart = (end - end.roll(1, 0)).square().mean(1).median()
    return float(((first - end).square().mean(1).median() / apart.clamp_min(1e-30)).sqrt())


def _start_from_images(problem: Problem, run: StartsFromImages, start: PartialStart) -> None:
    """Let the runs start from images that the model itself makes, each noised with another row's noise.

    They cost one more teacher over the whole range, on top of the effort's limit.
    """
    spent = problem.budget.spent
    problem.budget.message = Phrase("images to start from")
    levels = teacher_sigmas(problem.effort.teacher_nodes, start.sigma_range)
    run.start_from(_teacher(problem, levels, problem.everything).end, start.sigma)
    problem.budget.limit += problem.budget.spent - spent


def _teacher(problem: Problem, levels: Array, rows: slice) -> Teacher:
    return run_teacher(problem.run, levels, rows, problem.state_sketch(), problem.budget, problem.journal)


def _levels(problem: Problem, nodes: int) -> Array:
    """The reference's noise levels; of two models the second begins on one of them."""
    levels = teacher_sigmas(nodes, problem.sigma_range, cold=problem.sampling.start is not None)
    return levels_with_boundary(levels, problem.sampling.boundary)


def agreement(fine: Tensor, coarse: Tensor, tolerance: float, rows: slice | None = None) -> tuple[float, bool]:
    """(geometric mean RMSE between two solutions, whether it is small beside the distance between samples).

    Args:
        rows: of `fine`, where `coarse` holds these alone.
    """
    difference = geometric_mean(sample_errors(coarse, fine if rows is None else fine[rows]))
    flat = fine.flatten(1).cpu().double()
    distance = float((torch.pdist(flat) / flat.shape[1] ** 0.5).median())
    return difference, difference <= tolerance * max(distance, 1e-12)
