"""The search of Optimal Stepsize for Diffusion Sampling as its authors' code runs it, to compare fits with.

oss.py is the form to use. This one keeps what the authors' search_OSS does: Euler steps alone, every image for itself,
a start at any node from the same noise, a state of fewer steps kept where one more does not land nearer though the
trace goes on a level down, and a median of node numbers at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...core.finite import check_finite
from ...core.noise_space import Array
from ...core.sigmas import check_sigmas, finish_sigmas
from ..budget import Budget
from ..rollouts import RunFunction


@dataclass(frozen=True)
class PublishedOss:
    """What the search found.

    Attributes:
        schedules: steps -> sigma list of the median; shorter than steps + 1 where median nodes coincide, since the
            authors' sampler makes a step of length zero there.
        paths: steps -> one list of node numbers per image, the lowest first.
    """

    schedules: dict[int, Tensor]
    paths: dict[int, list[list[int]]]


def median_nodes(paths: Sequence[Sequence[int]]) -> list[int]:
    """Per position the authors' median over images: the mean, rounded down, of the middle value and the one below it.

    Differs from a median where their number is odd; so does theirs (cal_medium).
    """
    columns = [sorted(column) for column in zip(*paths)]
    return [(column[len(column) // 2] + column[len(column) // 2 - 1]) // 2 for column in columns]


@dataclass
class _Search:
    """Search of a batch of images, each for itself; nodes are numbered as in the paper, 0 at sigma 0.

    Attributes:
        times: (N + 1,) ascending sigmas, [0] == 0.
        flow_states: whether a VE model's states are those of a flow model, x / (1 + sigma).
        x: (B, ...) start state at the highest node.
        teacher: node -> (B, ...) state of the Euler teacher.
        cost, trace: (K, N + 1, B) best cost after at most k + 1 steps, and the node it claims to come from.
        best: per level, node -> (B, ...) best state there.
    """

    times: Array
    flow_states: bool
    x: Tensor
    teacher: dict[int, Tensor]
    cost: Tensor
    trace: Tensor
    best: list[dict[int, Tensor]]

    def start(self, node: int) -> Tensor:
        """The start noise, put at any node: the same numbers in the coordinates of the search."""
        if not self.flow_states:
            return self.x
        return self.x * float((1.0 + self.times[node]) / (1.0 + self.times[-1]))

    def carry_over(self, node: int) -> None:
        """At a node that all higher ones have stepped to: keep what level k - 1 had where level k is not better.

        The authors copy cost, origin and state to the next level before it begins, which is the same.
        """
        for level in range(1, len(self.best)):
            keep = ~(self.cost[level, node] < self.cost[level - 1, node])
            for table in (self.cost, self.trace):
                table[level, node] = torch.where(keep, table[level - 1, node], table[level, node])
            old = self.best[level - 1].get(node)
            if old is not None:
                self.best[level][node] = _per_row(keep, old, self.best[level].get(node, old))

    def state(self, level: int, node: int) -> Tensor:
        """Where level `level` steps from; the start noise where no step has come to."""
        found = self.best[level - 1].get(node) if level else None
        return self.start(node) if found is None else found

    def offer(self, level: int, node: int, x: Tensor, denoised: Tensor) -> None:
        """One Euler step from `node` to every lower node (eq. 9), kept where it lands nearest (eq. 10)."""
        for lower in range(node - 1, -1, -1):
            landed = denoised + float(self.times[lower] / self.times[node]) * (x - denoised)
            cost = (landed - self.teacher[lower]).flatten(1).square().mean(dim=1).cpu().double()
            better = cost < self.cost[level, lower]
            self.cost[level, lower] = torch.where(better, cost, self.cost[level, lower])
            self.trace[level, lower] = torch.where(better, node, self.trace[level, lower])
            self.best[level][lower] = _per_row(better, landed, self.best[level].get(lower, landed))

    def path(self, steps: int, row: int) -> list[int]:
        """Nodes of one image's schedule, the lowest first, without 0: the trace is followed through every level."""
        nodes = [0]
        for level in range(steps - 1, -1, -1):
            nodes.append(int(self.trace[level, nodes[-1], row]))
        return nodes[1:]


def published_oss(
    run: RunFunction, sigmas: Tensor, steps: Sequence[int], *, rows: slice, budget: Budget, flow_states: bool = False
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
    times, images, levels = check_sigmas(sigmas).double().numpy()[::-1].copy(), rows.stop - rows.start, max(steps)
    search = _Search(
        times, flow_states, torch.empty(0), {}, *_tables(levels, len(times), images), [{} for _ in range(levels)]
    )

    def call(model: Any, x: Tensor, sigma: Tensor, extra_args: dict[str, Any] | None) -> Tensor:
        budget.before_call()
        found = model(x, sigma * x.new_ones([images]), **(extra_args or {})).float()
        check_finite(found, float(sigma), budget.rows_evaluated)
        budget.count(images)
        return found

    def teach(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any) -> Tensor:
        search.x = state = x.float()
        for place, node in enumerate(range(len(times) - 1, 0, -1)):
            found = call(model, state, sigmas[place], extra_args)
            state = found + float(times[node - 1] / times[node]) * (state - found)
            search.teacher[node - 1] = state
        return state

    def walk(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any) -> Tensor:
        for place, node in enumerate(range(len(times) - 1, 0, -1)):
            search.carry_over(node)
            for level in range(levels):
                state = search.state(level, node)
                search.offer(level, node, state, call(model, state, sigmas[place], extra_args))
        search.carry_over(0)
        return x

    for sampler in (teach, walk):
        run(sampler, sigmas, rows)
    paths = {count: [search.path(count, row) for row in range(images)] for count in steps}
    return PublishedOss({count: _schedule(times, found) for count, found in paths.items()}, paths)


def _tables(levels: int, nodes: int, images: int) -> tuple[Tensor, Tensor]:
    """Costs, infinite, and origins, the highest node, as the authors begin with."""
    shape = (levels, nodes, images)
    return torch.full(shape, float("inf"), dtype=torch.float64), torch.full(shape, nodes - 1)


def _schedule(times: Array, paths: list[list[int]]) -> Tensor:
    return finish_sigmas(times[sorted(set(median_nodes(paths)) - {0}, reverse=True)])


def _per_row(choice: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(choice.to(yes.device).reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
