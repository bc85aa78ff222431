"""How far a student's end states are from the teacher's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ratio:
    """How many times larger one error is than another: the mean over rows and its confidence interval."""

    mean: float
    low: float
    high: float


# Below this RMSE a student equals the teacher for float32; keeps the logarithm finite.
_FLOOR = 1e-9


def sample_errors(end: Tensor, reference: Tensor) -> Tensor:
    """(B,) float64 root-mean-square difference of each sample, over all of its values."""
    difference = end.detach().cpu().double() - reference.detach().cpu().double()
    return difference.flatten(1).square().mean(dim=1).sqrt()


def geometric_mean(errors: Tensor) -> float:
    """Geometric mean over samples: a few samples that switched to another mode do not decide it."""
    return float(errors.clamp_min(_FLOOR).log().mean().exp())


def mode_switches(end: Tensor, reference: Tensor) -> int:
    """Number of samples that ended in another image than the teacher's.

    A sample counts when its error exceeds half the median distance between the teacher's end states of different
    samples: there it is nearer to a stranger than to its own teacher. Needs at least 2 samples, else 0.
    """
    if len(reference) < 2:
        return 0
    flat = reference.flatten(1).cpu().double()
    distances = torch.pdist(flat) / flat.shape[1] ** 0.5
    return int((sample_errors(end, reference) > 0.5 * distances.median()).sum())
