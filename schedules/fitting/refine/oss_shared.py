"""The states that the mended search keeps: one for all rows, with the history that a multistep rule needs.

The state at a node is the one whose step lands nearest to the teacher's state T there, over all rows b,

    cost = mean_b log rms(x_b - T_b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...core.run import take_rows
from ...samplers.rules import MultistepRule
from ..sketch import Sketch
from ..teacher.teacher import Teacher

# A state (B, ...) of the node that is visited -> the model's output for it.
Ask = Callable[[Tensor], Tensor]
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
class SharedStates:
    """The best state at every node after every number of steps, one for all rows.

    Attributes:
        wanted: step counts.
        corridor: whether hopeless nodes are left out.
        boundary: of two models, or None.
        parent, cost: (steps taken, node) -> where the best state there comes from, and its cost.
        ends: step count -> (cost of its end state, nodes).
    """

    rule: MultistepRule
    teacher: Teacher
    wanted: tuple[int, ...]
    rows: slice
    sketch: Sketch
    corridor: bool
    boundary: float | None = None
    x: Tensor = field(default_factory=lambda: torch.empty(0))
    parent: dict[tuple[int, int], _State] = field(default_factory=dict)
    cost: dict[tuple[int, int], float] = field(default_factory=dict)
    ends: dict[int, tuple[float, tuple[int, ...]]] = field(default_factory=dict)

    @property
    def levels(self) -> int:
        return max(self.wanted)

    def visit(self, taken: int, node: int, ask: Ask) -> None:
        """Evaluate the best state at a node after `taken` steps, and step on from it."""
        source = self.parent.pop((taken, node), None)
        if source is None and (taken, node) != (0, 0):
            return
        here = self.x if source is None else self.step(source, node)
        denoised = ask(here)
        feature = denoised if self.rule.feature == "denoised" else (here - denoised) / float(self.teacher.sigmas[node])
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
        if count not in self.ends or cost < self.ends[count][0]:
            self.ends[count] = cost, state.path

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
