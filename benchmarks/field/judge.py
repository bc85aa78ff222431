"""How near a student's samples are to the teacher's: each to its own, and as a set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import sqrtm
from torch import Tensor

from ...schedules.core.metrics import geometric_mean, mode_switches, sample_errors
from ...schedules.core.noise_space import Array

# (B, ...) samples -> logits (B, classes) and features (B, n).
Classify = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Judgement:
    """Figures of one batch of samples.

    Attributes:
        error: geometric mean over samples of the RMSE to the converged end state.
        low, middle, high: 10, 50 and 90 % quantiles of the same.
        switched: share of samples that ended in another mode (metrics.mode_switches).
        distance: Frechet distance between a classifier's features of these samples and of the converged ones.
        agreement: share of samples that the classifier puts in the same class as the 100-step teacher's.
    """

    error: float
    low: float
    middle: float
    high: float
    switched: float
    distance: float
    agreement: float


@dataclass(frozen=True)
class Judge:
    """Holds samples against the converged ones and a teacher's.

    Args:
        reference: (B, ...) converged end states.
        teacher: (B, ...) end states of the 100-step teacher.
        classify: of a classifier that no sampler and no fit has seen.
    """

    reference: Tensor
    teacher: Tensor
    classify: Classify

    def __call__(self, end: Tensor) -> Judgement:
        errors = sample_errors(end, self.reference)
        logits, features = self.classify(end)
        same = logits.argmax(dim=1) == self._classes
        low, middle, high = np.quantile(errors.numpy(), (0.1, 0.5, 0.9))
        return Judgement(
            error=geometric_mean(errors),
            low=float(low),
            middle=float(middle),
            high=float(high),
            switched=mode_switches(end, self.reference) / len(end),
            distance=frechet_distance(features.double().numpy(), self._features.double().numpy()),
            agreement=float(same.double().mean()),
        )

    @cached_property
    def _features(self) -> Tensor:
        return self.classify(self.reference)[1]

    @cached_property
    def _classes(self) -> Tensor:
        return self.classify(self.teacher)[0].argmax(dim=1)


def frechet_distance(first: Array, second: Array) -> float:
    """Squared Frechet distance between the Gaussians with the means and covariances of two sets of features (B, n).

    Source: Dowson and Landau 1982; with an Inception network's features it is the FID of Heusel et al. 2017. Both sets
    come from the same noises here, so that it is 0 for equal samples however few there are.
    """
    means = first.mean(axis=0) - second.mean(axis=0)
    one, other = (np.cov(features, rowvar=False) for features in (first, second))
    # The covariances of few samples are singular: their eigenvalues are raised by what does not show in the result.
    floor = 1e-9 * max(float(np.trace(one)), float(np.trace(other)), 1e-12) * np.eye(len(one))
    mixed = np.real(np.asarray(sqrtm((one + floor) @ (other + floor))))
    return max(0.0, float(means @ means + np.trace(one + other - 2.0 * mixed)))
