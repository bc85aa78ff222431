"""The objective of the search: the mean log error of the student's end states on the search rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..core.frequencies import frequency_weighted
from ..core.metrics import geometric_mean, sample_errors
from ..core.noise_space import Array
from .rollouts import Rollout, Rollouts
from .sketch import Sketch


@dataclass(frozen=True)
class Trial:
    """A schedule that was run.

    Attributes:
        sigmas: (steps + 1,) float32.
        errors: (rows,) float64 RMSE of each sample's end state.
        error: their geometric mean.
        residual: (B, m) float64 sketch of end state minus teacher.
        rollout: the run, so that neighbours can reuse its first calls.
        origin: where the schedule came from, in words.
        coefficients: (steps, 1 + order), those that were run; None for the sampler's own.
    """

    sigmas: Tensor
    errors: Tensor
    error: float
    residual: Tensor
    rollout: Rollout
    origin: str
    coefficients: Tensor | None = None

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1


@dataclass(frozen=True)
class Objective:
    """Runs schedules on some rows, scores them, and remembers the best of every step count.

    Args:
        rollouts: the sampler under fit.
        reference: (rows, ...) teacher end states of these rows.
        rows: of the batch.
        sketch: of residuals.
        splits: whether the run function can run these rows alone; otherwise every call costs the whole batch.
        frequency_weight: how many times more an error in the finest detail counts than one in flat areas.
        best: steps -> the best trial of the sampler as it is; best_with_coefficients: with fitted coefficients.
    """

    rollouts: Rollouts
    reference: Tensor
    rows: slice
    sketch: Sketch
    splits: bool = True
    frequency_weight: float = 1.0
    best: dict[int, Trial] = field(default_factory=dict)
    best_with_coefficients: dict[int, Trial] = field(default_factory=dict)

    def __call__(
        self, sigmas: Tensor, base: Trial | Rollout | None = None, origin: str = "", coefficients: Tensor | None = None
    ) -> Trial:
        """Run one schedule, with these coefficients or as the sampler does; `base` may share its first calls."""
        known = base.rollout if isinstance(base, Trial) else base
        rollout = self.rollouts.with_coefficients(coefficients)(sigmas, self.rows, known)
        end, reference = (frequency_weighted(each, self.frequency_weight) for each in (rollout.end, self.reference))
        errors = sample_errors(end, reference)
        residual = self.sketch(end.cpu().float() - reference.cpu())
        trial = Trial(rollout.sigmas, errors, geometric_mean(errors), residual, rollout, origin, coefficients)
        leaders = self.best if coefficients is None else self.best_with_coefficients
        leader = leaders.get(trial.steps)
        if leader is None or trial.error < leader.error:
            leaders[trial.steps] = trial
        return trial

    def with_outputs(self, trial: Trial) -> Trial:
        """The trial with its model outputs, so that neighbours can reuse its calls; run again where they are lost."""
        if trial.rollout.reusable:
            return trial
        rollouts = self.rollouts.with_coefficients(trial.coefficients)
        return replace(trial, rollout=rollouts.again(trial.rollout, self.rows))

    def leading(self, count: int) -> Objective:
        """The same on the first rows alone, with no best of its own yet."""
        rows = slice(self.rows.start, self.rows.start + count)
        return replace(self, reference=self.reference[:count], rows=rows, best={}, best_with_coefficients={})

    @property
    def share(self) -> float:
        """Evaluations per sample of one model call."""
        return (self.rows.stop - self.rows.start) / self.rollouts.budget.rows if self.splits else 1.0


def near_square(squares: Tensor, share: float) -> float:
    """Square e**2 of the distance below which a row has come near enough, of (B,) squared distances at a start.

    Of four rows one can be brought arbitrarily near at the cost of all that are not looked at: its log error would pay
    for it. So a search with many unknowns minimises mean_b log sqrt(||r_b||**2 + e**2).

    Args:
        share: e over a typical row's distance.
    """
    return share**2 * float(squares.clamp_min(1e-30).log().mean().exp())


def mean_log(squares: Tensor, near: float) -> float:
    """mean_b log sqrt(||r_b||**2 + e**2) of (B,) squared distances."""
    return 0.5 * float((squares + max(near, 1e-300)).log().mean())


def flat_weights(residual: Tensor, near: float = 0.0) -> Tensor:
    """(B,) weights 1 / (||r||**2 + e**2) that turn a sum of squares into the log of the per-sample error."""
    square = residual.square().sum(dim=1)
    return 1.0 / (square + near).clamp_min(1e-12 * float(square.max()) + 1e-30)


def normal_equations(residual: Tensor, slope: Tensor, near: float = 0.0) -> tuple[Array, Array]:
    """(columns, columns) sum_b w_b J_b' J_b and (columns,) sum_b w_b J_b' r_b, with w_b the flat weights.

    Args:
        residual: (B, m) r.
        slope: (B, m, columns) J.
        near: e**2.
    """
    weights = flat_weights(residual, near)
    normal = torch.einsum("bmi,bmj,b->ij", slope, slope, weights).numpy()
    return normal, torch.einsum("bmi,bm,b->i", slope, residual, weights).numpy()
