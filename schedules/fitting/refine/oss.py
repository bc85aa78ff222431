"""The recursive search of Optimal Stepsize for Diffusion Sampling, mended; published_oss.py has it as published.

Source: Pei et al. 2025, arXiv:2503.21774. Eq. 8 is the aim, the student's end state near the teacher's; eq. 9 to 11 the
recursion: the best state at a node after k steps comes from the node at which one step more from its best state after
k - 1 steps lands nearest to the teacher's state. That closer now stays closer is an assumption (appendix A).

Nodes are visited in decreasing sigma, every step count at one node before the next node, because hosts keep state per
run. The recursion only looks to higher sigmas, so the order changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.finite import check_finite
from ...core.sigmas import finish_sigmas
from ...samplers.rules import MultistepRule
from ..budget import Budget
from ..rollouts import RunFunction, take_rows
from ..sketch import Sketch
from ..teacher.teacher import Teacher

# A schedule of K steps may be, s steps down, from _SLOWEST * s / K to (s / (K - 1)) ** _FASTEST of the way along the
# teacher's nodes: half of all (s, node). Fitted schedules of trained networks stay well inside.
_SLOWEST, _FASTEST = 0.5, 0.6


@dataclass(frozen=True)
class _State:
    """An evaluated student state: x (B, ...), features newest first, and the nodes visited, its own the last."""

    x: Tensor
    features: list[Tensor]
    path: tuple[int, ...]


def allowed(steps: Sequence[int], nodes: int, taken: int, node: int, corridor: bool) -> bool:
    """Whether a schedule of one of these counts may stand at a node of the teacher after `taken` steps."""
    last = nodes - 1
    for count in steps:
        if count <= taken or not taken <= node <= last - (count - 1 - taken):
            continue
        if taken == 0:
            return node == 0
        if not corridor or _SLOWEST * taken / count <= node / last <= (taken / (count - 1)) ** _FASTEST:
            return True
    return False


@dataclass
class _Search:
    """The mended search; see `oss_schedules`.

    Attributes:
        parent, cost: (steps taken, node) -> where the best state there comes from, and its cost.
        found: step count -> (cost of its end state, nodes).
    """

    rule: MultistepRule
    teacher: Teacher
    wanted: tuple[int, ...]
    rows: slice
    sketch: Sketch
    budget: Budget
    corridor: bool
    boundary: float | None = None
    parent: dict[tuple[int, int], _State] = field(default_factory=dict)
    cost: dict[tuple[int, int], float] = field(default_factory=dict)
    found: dict[int, tuple[float, tuple[int, ...]]] = field(default_factory=dict)

    def visit(self, model: Any, x: Tensor, sigma: Tensor, node: int, extra_args: dict[str, Any]) -> None:
        """Evaluate the best states at one node, one for each number of steps taken, and step on from them."""
        for taken in range(max(self.wanted)):
            source = self.parent.pop((taken, node), None)
            if source is None and (taken, node) != (0, 0):
                continue
            here = x if source is None else self.step(source, node)
            self.budget.before_call()
            denoised = model(here, sigma * here.new_ones([here.shape[0]]), **extra_args).float()
            check_finite(denoised, float(sigma), node)
            self.budget.count(here.shape[0])
            feature = denoised if self.rule.feature == "denoised" else (here - denoised) / float(sigma)
            earlier = source.features if source is not None and not self._handed_over(source, node) else []
            path = (*source.path, node) if source is not None else (node,)
            state = _State(here, [feature, *earlier][: self.rule.order], path)
            self.finish(state, denoised)
            self.expand(state)

    def _handed_over(self, source: _State, node: int) -> bool:
        """Whether another model answers at this node than at the state's own: hosts begin anew there."""
        at, here = self.teacher.sigmas[source.path[-1]], self.teacher.sigmas[node]
        return self.boundary is not None and at >= self.boundary > here

    def step(self, source: _State, node: int) -> Tensor:
        """The state one step of the rule after `source`."""
        sigmas = self.teacher.sigmas
        x = self.rule.carry(sigmas[source.path[-1]], sigmas[node]) * source.x
        past = [sigmas[i] for i in source.path[::-1][: len(source.features)]]
        for weight, feature in zip(self.rule.weights(past, sigmas[node]), source.features):
            x = x + float(weight) * feature
        return x

    def finish(self, state: _State, denoised: Tensor) -> None:
        """Stop here: every rule's step to sigma 0 returns the model output."""
        count = len(state.path)
        if count not in self.wanted:
            return
        cost = float(_log_errors(self._sketched(denoised)[None] - self.teacher.end_sketch)[0])
        if count not in self.found or cost < self.found[count][0]:
            self.found[count] = cost, state.path

    def expand(self, state: _State) -> None:
        """Offer the state to every later node. Costs are those of sketches: the step is linear, and so are they."""
        taken, sigmas, node = len(state.path), self.teacher.sigmas, state.path[-1]
        later = [j for j in range(node + 1, len(sigmas)) if allowed(self.wanted, len(sigmas), taken, j, self.corridor)]
        if not later:
            return
        past = [sigmas[i] for i in state.path[::-1][: len(state.features)]]
        weights = np.stack([np.asarray(self.rule.weights(past, sigmas[j]), dtype=np.float64) for j in later])
        carry = torch.tensor([self.rule.carry(sigmas[node], sigmas[j]) for j in later], dtype=torch.float64)
        features = torch.stack([self._sketched(feature) for feature in state.features])
        landed = carry[:, None, None] * self._sketched(state.x)
        landed += torch.einsum("jf,fbm->jbm", torch.from_numpy(weights), features)
        for j, cost in zip(later, _log_errors(landed - self.teacher.states[later]).tolist()):
            if cost < self.cost.get((taken, j), float("inf")):
                self.cost[taken, j], self.parent[taken, j] = cost, state

    def _sketched(self, values: Tensor) -> Tensor:
        return self.sketch(take_rows(values, self.rows))


def _log_errors(difference: Tensor) -> Tensor:
    """(J,) mean over samples of the log error; (J, B, m) in."""
    return 0.5 * difference.square().mean(dim=2).clamp_min(1e-30).log().mean(dim=1)


def oss_schedules(
    run: RunFunction,
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
    search = _Search(rule, teacher, wanted, rows, sketch, budget, corridor, boundary)
    visited = 0

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any) -> Tensor:
        nonlocal visited
        x = x.float()
        for sigma in sigmas[:-1]:
            search.visit(model, x, sigma, visited, extra_args or {})
            visited += 1
        return x

    run(sample, finish_sigmas(teacher.sigmas), rows)
    return {count: finish_sigmas(teacher.sigmas[list(path)]) for count, (_, path) in sorted(search.found.items())}
