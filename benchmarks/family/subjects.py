"""Models that the family is learned over and judged on: members of the zoo, in their own noise space or the other.

A denoiser of noise prediction is one of flow too, and the reverse: x = (1 - s) x0 + s n at flow level s is the VE state
x / (1 - s) at level s / (1 - s). So every network teaches both spaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...demo.models.network import EPS_RANGE
from ...schedules.core.noise_space import Array, SigmaRange
from ..zoo.members import zoo_subject
from ..zoo.recipes import told_flow_range

_SD = SigmaRange(*EPS_RANGE)
_CHUNK = 384  # rows of a call: more only fill the memory


@dataclass(frozen=True)
class Training:
    """A model to learn over: a member of the zoo at one guidance, in VE or flow.

    Args:
        weight: of its error in the sum over models; networks count more than mixtures, which are easier.
    """

    member: str
    guidance: float
    flow: bool
    weight: float = 1.0

    @property
    def key(self) -> str:
        return f"{self.member}, {'flow' if self.flow else 've'}, guidance {self.guidance:g}"


def training_subject(which: Training) -> PlainSubject:
    """The model, moved into the other noise space where it is not its own."""
    own = zoo_subject(which.member, which.guidance)
    if own.sigma_range.flow == which.flow:
        return own
    limits = told_flow_range(own.shape[-1]) if which.flow else _SD
    identity = replace(own.identity, sigma_min=limits.sigma_min, sigma_max=limits.sigma_max, flow=which.flow)
    moved = _as_flow(own.denoiser, own.sigma_range.sigma_max) if which.flow else _as_ve(own.denoiser)
    return replace(own, denoiser=moved, identity=identity)


class Rows:
    """Noises of one model with the teacher's ends, and few-step runs from them.

    Args:
        rows, seed: of the noises.
        levels: of the teacher.
    """

    def __init__(self, which: Training, rows: int, seed: int, levels: int = 48) -> None:
        self.which = which
        self.subject = training_subject(which)
        self.rows = rows
        self.start = self.subject.noise(rows, seed) * self.sigma_range.sigma_max
        self._args = self.subject.extra_args(rows)
        with torch.no_grad():
            self.end = self.subject.teacher_ends(self.start, levels).float()

    @property
    def sigma_range(self) -> SigmaRange:
        return self.subject.sigma_range

    @torch.no_grad()
    def denoised(self, x: Tensor, sigma: Array) -> Tensor:
        """Outputs for runs (runs, rows, ...) that stand at sigma (runs,)."""
        out, step = torch.empty_like(x), max(1, _CHUNK // self.rows)
        for first in range(0, len(x), step):
            part = x[first : first + step]
            levels = torch.as_tensor(np.repeat(sigma[first : first + step], self.rows), dtype=torch.float32)
            args = {key: self._repeated(value, len(part)) for key, value in self._args.items()}
            out[first : first + step] = self.subject.denoiser(part.flatten(0, 1), levels, **args).view_as(part)
        return out

    def errors(self, ends: Tensor) -> Array:
        """(..., rows) root mean square distance of end states (..., rows, ...) to the teacher's."""
        return (ends - self.end).flatten(-self.end.ndim + 1).double().square().mean(-1).sqrt().numpy()

    def _repeated(self, value: Any, runs: int) -> Any:
        return value.repeat(runs) if isinstance(value, Tensor) else value


def _as_flow(denoiser: Callable[..., Tensor], top: float) -> Callable[..., Tensor]:
    """A VE denoiser on flow states. Above its top the state is noise alone, which it sees at its top."""

    def moved(x: Tensor, sigma: Tensor, **args: Any) -> Tensor:
        ve = (sigma / (1.0 - sigma).clamp_min(1e-6)).clamp(max=top)
        return denoiser(x * (ve / sigma).view(-1, *[1] * (x.ndim - 1)), ve, **args)

    return moved


def _as_ve(denoiser: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A flow denoiser on VE states."""

    def moved(x: Tensor, sigma: Tensor, **args: Any) -> Tensor:
        return denoiser(x / (1.0 + sigma).view(-1, *[1] * (x.ndim - 1)), sigma / (1.0 + sigma), **args)

    return moved
