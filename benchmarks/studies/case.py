"""A model with start states and their converged ends, as the studies measure on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.core.metrics import geometric_mean, sample_errors
from ...schedules.core.noise_space import SigmaRange
from ..cases import HELD_OUT_SEED, REFERENCE_LEVELS


@dataclass(frozen=True)
class StudyCase:
    """A denoiser, start states x (B, ...) at sigma_max, and their converged ends (B, ...)."""

    name: str
    model: Callable[..., Tensor]
    sigma_range: SigmaRange
    x: Tensor
    end: Tensor
    extra_args: dict[str, Any]

    def error(self, end: Tensor) -> float:
        """Geometric mean over rows of the RMSE to the converged ends."""
        return geometric_mean(sample_errors(end, self.end))


def measured_on(subject: PlainSubject, rows: int) -> dict[str, Any]:
    """The fields of a StudyCase for a model, but its name; on held-out noises."""
    x = subject.noise(rows, HELD_OUT_SEED) * subject.sigma_range.sigma_max
    return {
        "model": subject.denoiser,
        "sigma_range": subject.sigma_range,
        "x": x,
        "end": subject.teacher_ends(x, REFERENCE_LEVELS),
        "extra_args": subject.extra_args(rows),
    }
