"""One sampler to search for: all that is given, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..core.noise_space import SigmaRange
from ..core.run import Run
from ..core.types import Baselines, SamplerFunction
from ..family.learned import Family
from ..samplers.brownian import BrownianPath, is_stochastic, on_path
from ..samplers.fitted import NAME
from ..samplers.rules import MULTISTEP_RULES, MultistepRule
from .budget import Budget
from .effort import Effort
from .journal import Journal
from .objective import Objective
from .rollouts import Rollouts
from .settings import Sampling
from .sketch import Sketch
from .verdict import GO_ON, Verdict

# Counts above this start from the refined schedule of a smaller one, which beats dynamic programming on a grid there
# (trained networks, 20 steps: error .0017 against .0023) and costs one run; a smaller count is fitted first if need be.
MANY_STEPS = 12
# Sketch lengths: of trajectories (local errors, gains) and of end states (Gauss-Newton residuals).
STATE_SKETCH = 512
END_SKETCH = 16_384
# Of end states where coefficients are fitted too, whose Jacobian has six columns for every step and more.
COEFFICIENTS_SKETCH = 4_096


@dataclass(frozen=True)
class Problem:
    """The search for one sampler's schedules.

    Attributes:
        sampler, sampler_name: one of the sampling's.
        baselines: as they run; see Searching.
        budget: shared by the problems of one fit.
        search, held_out: row ranges of the batch; held_out follows search and ends it.
        shape: of one row.
        verdict: of the self-test.
        family, frequency_weight: see Searching.
    """

    run: Run
    sampler: SamplerFunction
    sampler_name: str
    sampling: Sampling
    baselines: Baselines
    effort: Effort
    method: str
    budget: Budget
    journal: Journal | None
    search: slice
    held_out: slice
    shape: tuple[int, ...]
    verdict: Verdict = GO_ON
    family: Family | None = None
    frequency_weight: float = 1.0

    @property
    def steps(self) -> tuple[int, ...]:
        """The step counts to solve, ascending."""
        return self.sampling.steps

    @property
    def sigma_range(self) -> SigmaRange:
        """The levels that run."""
        return self.sampling.window

    @property
    def everything(self) -> slice:
        """All rows of the batch."""
        return slice(0, self.held_out.stop)

    @property
    def splits(self) -> bool:
        """Whether a run on some rows costs those rows alone."""
        return self.run.splits

    @property
    def ladder(self) -> tuple[int, ...]:
        """The step counts to solve, and half of the smallest where that is too many to start without a neighbour."""
        first = self.steps[0]
        return (max(5, min(first // 2, MANY_STEPS)), *self.steps) if first > MANY_STEPS else self.steps

    @property
    def fits_coefficients(self) -> bool:
        """Whether coefficients are fitted along with the schedules."""
        return self.sampler_name == NAME

    @property
    def finds(self) -> int:
        """Candidates per step count that the held-out check runs beside the hosts': with coefficients, the family's,
        and without."""
        return 3 if self.fits_coefficients and self.effort.refines else 1

    @property
    def stochastic(self) -> bool:
        """Whether the sampler may draw noise."""
        return is_stochastic(self.sampler, self.sampler_name)

    @property
    def rule(self) -> MultistepRule:
        """The linear rule of the sampler; one that has none of its own is searched for as DPM++ 2M."""
        return MULTISTEP_RULES.get(self.sampler_name, MULTISTEP_RULES["dpmpp_2m"])

    def share(self, rows: slice) -> float:
        """Evaluations per sample of one model call on some rows."""
        return (rows.stop - rows.start) / self.budget.rows if self.splits else 1.0

    def state_sketch(self) -> Sketch:
        """The sketch of trajectories."""
        return Sketch(self._values, STATE_SKETCH)

    def rollouts(self, rows: slice) -> Rollouts:
        """Runs of the sampler on some rows; a stochastic one on those rows' Brownian paths."""
        sampler = self.sampler
        if self.stochastic:
            given = rows if self.splits else self.everything
            sampler = on_path(sampler, BrownianPath(self.shape, self.sigma_range.sigma_max, self.sampling.seed, given))
        # CFG++ samplers read the unconditional output through a hook on the model, which a remembered call never fires;
        # of several samplers only the first one is tried with remembered calls.
        reuse = "cfg_pp" not in self.sampler_name and self.verdict.remembers
        in_turn = self.sampling.boundary is not None
        return Rollouts(
            self.run, sampler, self.budget, self.state_sketch(), self.journal, reuse, None, self.sampler_name, in_turn
        )

    def objective(self, reference: Tensor, rows: slice) -> Objective:
        """Errors of schedules on some rows against the reference end states (B, ...) of the whole batch."""
        sketch = Sketch(self._values, COEFFICIENTS_SKETCH if self.fits_coefficients else END_SKETCH, seed=1)
        return Objective(self.rollouts(rows), reference[rows], rows, sketch, self.splits, self.frequency_weight)

    @property
    def _values(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count
