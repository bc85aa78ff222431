"""The states that the published search keeps, as the authors' search_OSS does: every image for itself.

Euler steps alone; a start at any node from the same noise; a state of fewer steps kept where one more does not land
nearer, though the trace goes on a level down. At a node an image b keeps the state that is nearest to the teacher's,

    cost_b = mean square of x_b - T_b
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...core.noise_space import Array
from .oss_shared import Ask


def median_nodes(paths: Sequence[Sequence[int]]) -> list[int]:
    """Per position the authors' median over images: the mean, rounded down, of the middle value and the one below it.

    Differs from a median where their number is odd; so does theirs (cal_medium).
    """
    columns = [sorted(column) for column in zip(*paths)]
    return [(column[len(column) // 2] + column[len(column) // 2 - 1]) // 2 for column in columns]


@dataclass
class StatesPerImage:
    """The best states of a batch of images, each for itself; nodes are numbered as in the paper, 0 at sigma 0.

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
    teacher: dict[int, Tensor]
    cost: Tensor
    trace: Tensor
    best: list[dict[int, Tensor]]
    x: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def levels(self) -> int:
        return len(self.best)

    def visit(self, taken: int, place: int, ask: Ask) -> None:
        """Step from the states at a node, given by its place from the top, after at most `taken` steps."""
        node = len(self.times) - 1 - place
        if taken == 0:
            self.carry_over(node)
        state = self.state(taken, node)
        self.offer(taken, node, state, ask(state))

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
        state = self.best[level - 1].get(node) if level else None
        return self.start(node) if state is None else state

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


def states_per_image(times: Array, flow_states: bool, levels: int, images: int) -> StatesPerImage:
    """Before the search: costs infinite, origins the highest node, as the authors begin."""
    shape = (levels, len(times), images)
    cost, trace = torch.full(shape, float("inf"), dtype=torch.float64), torch.full(shape, len(times) - 1)
    return StatesPerImage(times, flow_states, {}, cost, trace, [{} for _ in range(levels)])


def _per_row(choice: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(choice.to(yes.device).reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
