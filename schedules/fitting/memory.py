"""Bytes that a fit keeps in the computer's memory, known before it starts.

Model outputs are most of it: of every sampler and step count those of the best run are kept, so that its neighbours
need not ask the model again, and those of a few runs more for the step count in work. They lie on the CPU; what a model
call needs on the device is the host's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..samplers.parameters import features
from .coefficients.fit import MOST_OUTPUTS
from .coefficients.joint import RANKS
from .coefficients.tangents import held_batches, most_held, tangent_calls
from .effort import Effort
from .problem import COEFFICIENTS_SKETCH, END_SKETCH, STATE_SKETCH

_FLOAT32, _FLOAT64 = 4, 8
# Runs of the step count in work beside its best one: first candidates, and what a refinement holds of its last moves.
_RUNS_IN_WORK = 5
# Trials per step count whose end states and residuals stay to the end of the search, and those of published methods.
_TRIALS, _PUBLISHED = 8, 2
# Copies of a batch of latents in the hands of the teachers, the caller and a sampler function.
_BATCHES = 14
# What is alive for a moment beside all that is kept: at 16 x 128 x 128 and effort thorough the peak was 1.35 times it,
# of flat rows 1.51 times.
_MARGIN = 1.55
# Calls in records of runs, in evaluations of the budget.
_RECORDED = 2.0
# Whole runs whose outputs are on record at a time.
_BEGUN_WITH = 3
# Gauss-Newton: unknowns at most, and arrays of residuals times unknowns at a time.
_UNKNOWNS, _JACOBIANS = 12, 4


@dataclass(frozen=True)
class FitSize:
    """How large a fit is, and what it takes at most.

    Args:
        shape: of one latent, without the batch.
        rows: of the batch, the held-out ones included.
        steps: step counts to solve.
        samplers: that it may choose among.
        calls_per_step: model calls of the sampler, 2 for heun and its kind.
        method: as for `calibrate`.
        coefficients: whether they are fitted, as for sigmasmith_multistep: every step has unknowns of its own then.
        splits: whether a run on some rows keeps those alone; a plain denoiser may insist on its whole batch.
    """

    shape: Sequence[int]
    rows: int
    steps: Sequence[int]
    effort: Effort
    samplers: int = 1
    calls_per_step: int = 1
    method: str = "gauss_newton"
    coefficients: bool = False
    splits: bool = True

    @property
    def records(self) -> int:
        """Bytes that the records of the unfinished fit take at most.

        A finished run keeps its end state in full and sketches of its calls; the one in progress every output.
        """
        latent, sketched = _FLOAT32 * self._values, 2 * _FLOAT64 * min(self._values, STATE_SKETCH)
        most, nodes = max(self.steps) * self.calls_per_step, self.effort.teacher_nodes
        # Runs that share their beginning with an earlier one record more calls than they make.
        limit = self.effort.limit(self.steps, coefficients=self.coefficients)
        calls = _RECORDED * limit * self.samplers * self.rows
        if self.method == "oss":
            calls += _RECORDED * nodes * max(self.steps) * self.rows
        ends = calls / min(self.steps)
        in_progress = max(nodes, most)
        if self.coefficients:  # the calls of tangents, and of the runs that those and others begin with
            in_progress = max(in_progress, tangent_calls(most, RANKS[0])) + _BEGUN_WITH * most
        in_progress *= self.rows
        return int((calls + 2 * nodes * self.rows) * sketched + (ends + in_progress + 6 * self.rows) * latent)

    @property
    def memory(self) -> int:
        """Bytes that the fit keeps at most, with room for what an allocator keeps of what was freed."""
        searched = self.rows - max(2, self.rows // 4)
        latent, most, nodes = _FLOAT32 * self._values, max(self.steps), self.effort.teacher_nodes
        held = searched if self.splits else self.rows
        outputs = held * self.calls_per_step * (self.samplers * sum(self.steps) + _RUNS_IN_WORK * most)
        trials = (_TRIALS + _PUBLISHED * self.effort.published) * len(self.steps) * self.samplers
        unknowns = _UNKNOWNS
        if self.method == "oss":  # a state and a feature of every (node, steps taken) on the corridor, no refinement
            outputs, unknowns = held * nodes * most, 0
        tangents = sketches = 0
        residual = min(self._values, COEFFICIENTS_SKETCH if self.coefficients else END_SKETCH)
        if self.coefficients:
            outputs += held * sum(self.steps)  # the best run without coefficients, and the best one with them
            unknowns = most * (1 + features(MOST_OUTPUTS))
            tangents = most_held(most, RANKS[0], held * latent)
            sketches = held_batches(most, RANKS[0])
        kept = latent * (outputs + _BATCHES * self.rows + trials * searched)
        sketched = min(self._values, STATE_SKETCH) * nodes * self.rows
        along_teacher = _FLOAT64 * (12 * sketched + 3 * (2 * nodes) ** 3)
        residuals = residual * searched
        refined = _FLOAT64 * residuals * (trials + sketches + _JACOBIANS * unknowns)
        return int(_MARGIN * (kept + along_teacher + refined + tangents))

    @property
    def _values(self) -> int:
        """Of one latent."""
        return math.prod(self.shape)
