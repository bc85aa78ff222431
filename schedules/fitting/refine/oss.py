"""The recursive search of Optimal Stepsize for Diffusion Sampling, in two forms: mended, and as published.

Source: Pei et al. 2025, arXiv:2503.21774. Eq. 8 is the aim, the student's end state near the teacher's; eq. 9 to 11 the
recursion: with T the teacher's states, and step(x, i -> j) one step of the student,

    i*(k, j) = argmin_i cost(step(x(k-1, i), i -> j), T_j),   x(k, j) = step(x(k-1, i*), i* -> j)

so the best state at a node j after k steps comes from the node i from whose best state after k - 1 steps one step more
lands nearest to the teacher's state. That closer now stays closer is an assumption (appendix A).

Nodes are visited in decreasing sigma, every step count at one node before the next node, because hosts keep state per
run. The recursion only looks to higher sigmas, so the order changes no result. What the forms differ in is what they
keep: oss_shared.py one state for all rows, for fits; oss_per_image.py every image's own, to compare fits with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from torch import Tensor

from ...core.finite import check_finite
from ...core.run import Run
from ...core.sigmas import check_sigmas, finish_sigmas
from ...samplers.loop import sample_steps
from ...samplers.rules import MultistepRule
from ..budget import Budget
from ..sketch import Sketch
from ..teacher.teacher import Teacher
from .oss_per_image import StatesPerImage, median_nodes, states_per_image
from .oss_shared import Ask, SharedStates


class BestStates(Protocol):
    """The best states at every node, and what is kept of a step."""

    x: Tensor  # (B, ...) the start state, set before the first visit

    @property
    def levels(self) -> int:
        """Numbers of steps taken, from 0 on, that are told apart."""
        ...

    def visit(self, taken: int, place: int, ask: Ask, /) -> None:
        """Evaluate the state at a node, by its place from the highest sigma, and offer its steps to all later nodes."""
        ...


def recursion(run: Run, sigmas: Tensor, states: BestStates, *, rows: slice, budget: Budget) -> None:
    """Visit every node of `sigmas` (N + 1,) but the last, 0; for every number of steps taken, once.

    Raises:
        ModelError: NaN from the model, with the sigma.
    """
    visited = 0

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any) -> Tensor:
        nonlocal visited
        x = x.float()
        if visited == 0:
            states.x = x
        for sigma in sigmas[:-1]:
            # Bound now: a visit asks at its own level.
            def ask(x: Tensor, sigma: Tensor = sigma) -> Tensor:
                return _counted(model, budget, x, sigma * x.new_ones([x.shape[0]]), **(extra_args or {}))

            for taken in range(states.levels):
                states.visit(taken, visited, ask)
            visited += 1
        return x

    run(sample, sigmas, rows)


def _counted(model: Any, budget: Budget, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
    """The model's output in float32, counted and checked."""
    budget.before_call()
    denoised = model(x, sigma, **extra_args).float()
    check_finite(denoised, float(sigma[0]), budget.rows_evaluated // x.shape[0])
    budget.count(x.shape[0])
    return denoised


def oss_schedules(
    run: Run,
    rule: MultistepRule,
    teacher: Teacher,
    steps: Sequence[int],
    *,
    rows: slice,
    sketch: Sketch,
    budget: Budget,
    corridor: bool = True,
    boundary: float | None = None,
) -> dict[int, Tensor]:
    """Schedules on the teacher's nodes for several step counts, by one recursive search for all rows together.

    Args:
        run: starts a sampler function at the batch's start state.
        rule: the student's solver; MULTISTEP_RULES["euler"] is the published solver.
        teacher: of `rows` alone (`teacher.restricted`), its sketches made by `sketch`.
        steps: step counts, each >= 1; counts that the nodes cannot hold are left out of the result.
        rows: of the batch.
        budget: counts about K * N / 2 evaluations of the rows, K the largest step count and N the teacher's nodes;
            the teacher's own N were counted when it ran.
        corridor: False expands every state that can be reached, K * N - K**2 / 2.
        boundary: of two models in turn (experts.py), or None.
    Returns:
        steps -> (steps + 1,) sigma list; [0] is the teacher's first node. About K * N / 2 latents per row are held
        while it runs.
    Source: arXiv:2503.21774, eq. 9 to 11; appendix B sketches other solvers than Euler.
        Exact on Gaussian data with Euler steps, and nearly always with two outputs of history on small grids; there a
        state that is nearer now may have the worse history: up to 1.8 times the best error was seen at 5 steps.
    Differs: from the authors' search_OSS: the cost is the mean over the batch of the log of each sample's error, so one
        schedule is sought for all (theirs: squared error per image, then a median of node numbers); states carry the
        history of a multistep rule; paths start at sigma_max alone and have exactly k steps (theirs start at any node
        and may keep a state of k - 1 steps with another's path); states are float32; the teacher is of order 3;
        unreachable and hopeless nodes are not expanded.
    """
    wanted = tuple(sorted({count for count in steps if 1 <= count <= len(teacher.sigmas)}))
    if not wanted:
        return {}
    states = SharedStates(rule, teacher, wanted, rows, sketch, corridor, boundary)
    recursion(run, finish_sigmas(teacher.sigmas), states, rows=rows, budget=budget)
    return {count: finish_sigmas(teacher.sigmas[list(path)]) for count, (_, path) in sorted(states.ends.items())}


@dataclass(frozen=True)
class PublishedOss:
    """The schedules of the published search.

    Attributes:
        schedules: steps -> sigma list of the median; shorter than steps + 1 where median nodes coincide, since the
            authors' sampler makes a step of length zero there.
        paths: steps -> one list of node numbers per image, the lowest first.
    """

    schedules: dict[int, Tensor]
    paths: dict[int, list[list[int]]]


def published_oss(
    run: Run, sigmas: Tensor, steps: Sequence[int], *, rows: slice, budget: Budget, flow_states: bool = False
) -> PublishedOss:
    """The published search on given nodes, for several step counts (a smaller one is a prefix of the largest's run).

    Args:
        run: starts a sampler function at the start states of `rows` alone.
        sigmas: (N + 1,) nodes, ending in 0; the authors take N = 100 uniform timesteps of the model.
        steps: step counts.
        rows: the images, of the batch.
        budget: counts N + K * N evaluations per image, K the largest step count.
        flow_states: for VE models, states in flow coordinates, as the authors' wrapper of DiT has them. It changes what
            the same start noise at a lower node means: there it is nearly the noise of that level, and most paths
            begin late. False keeps the model's own states.
    Returns:
        a PublishedOss.
    Source: Pei et al. 2025, arXiv:2503.21774, eq. 9 to 11, and the authors' search_OSS and cal_medium.
    Differs: nodes outside, levels inside, as hosts need it, with the same result; float32 states whatever the model's
        dtype. Not the authors' code.
    """
    times, images = check_sigmas(sigmas).double().numpy()[::-1].copy(), rows.stop - rows.start
    states = states_per_image(times, flow_states, max(steps), images)
    run(partial(_euler_teacher, states, budget), sigmas, rows)
    recursion(run, sigmas, states, rows=rows, budget=budget)
    states.carry_over(0)
    paths = {count: [states.path(count, row) for row in range(images)] for count in steps}
    medians = {count: sorted(set(median_nodes(nodes)) - {0}, reverse=True) for count, nodes in paths.items()}
    return PublishedOss({count: finish_sigmas(times[nodes]) for count, nodes in medians.items()}, paths)


def _euler_teacher(
    states: StatesPerImage,
    budget: Budget,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    **_: Any,
) -> Tensor:
    """A sampler function that writes down the states of Euler's method at every node."""

    def take(x: Tensor, denoised: Tensor, i: int) -> Tensor:
        node = len(sigmas) - 1 - i
        x = denoised + float(states.times[node - 1] / states.times[node]) * (x - denoised)
        states.teacher[node - 1] = x
        return x

    return sample_steps(partial(_counted, model, budget), x.float(), sigmas, extra_args, take=take)
