"""The states of a batch whose rows stand at noise levels of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..noise_space import Array
from .quadrature import MAX_NODES

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


def per_row(values: Array, like: Tensor) -> Tensor:
    """One number per row as a tensor (B, 1, ...) that multiplies `like`."""
    # To x's type on the CPU: float64 never reaches a device.
    numbers = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(like.dtype)
    return numbers.to(like.device).reshape(-1, *[1] * (like.ndim - 1))


def row_rms(values: Tensor) -> Array:
    """(B,) root mean square of each row."""
    return values.flatten(1).float().square().mean(dim=1).sqrt().cpu().double().numpy()


def choose(rows: Mask, yes: Tensor, no: Tensor) -> Tensor:
    """Rows of `yes` where the mask (B,) is set, else of `no`."""
    if rows.all():
        return yes
    mask = torch.as_tensor(rows, device=yes.device).reshape(-1, *[1] * (yes.ndim - 1))
    return torch.where(mask, yes, no)


def combine(carry: Array, x: Tensor, weights: Array, outputs: list[Tensor]) -> Tensor:
    """carry * x + sum of weights (k, B) times outputs, row by row."""
    total = per_row(carry, x) * x
    for row_weights, output in zip(weights, outputs):
        if np.any(row_weights):
            total = total + per_row(row_weights, output) * output
    return total


@dataclass
class Rows:
    """Accepted states and the last outputs.

    Attributes:
        x: (B, ...) states.
        sigma: (B,) their noise levels.
        times: (MAX_NODES, B) t of the outputs, newest first.
        outputs: tensors (B, ...), newest first.
        counts: (B,) outputs known since the start or the last reset.
        change: (B,) root mean square of the difference of the newest two outputs.
    """

    x: Tensor
    sigma: Array
    times: Array = field(init=False)
    counts: Counts = field(init=False)
    change: Array = field(init=False)
    outputs: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop the history: outputs of another conditioning say nothing about this one's."""
        self.times = np.zeros((MAX_NODES, len(self.sigma)))
        self.counts = np.zeros(len(self.sigma), dtype=np.int64)
        self.change = np.zeros(len(self.sigma))
        self.outputs = []

    def push(self, accepted: Mask, x: Tensor, sigma: Array, t: Array, output: Tensor) -> None:
        """Move the accepted rows to a new state with its output; the others stay as they are."""
        self.x = choose(accepted, x, self.x)
        self.sigma = np.where(accepted, sigma, self.sigma)
        if self.outputs:
            self.change = np.where(accepted, row_rms(output - self.outputs[0]), self.change)
        older = [output, *self.outputs][:MAX_NODES]
        known = [*self.outputs, *[output] * MAX_NODES][: len(older)]
        self.outputs = [choose(accepted, new, old) for new, old in zip(older, known)]
        self.times = np.where(accepted, np.concatenate([t[None], self.times[:-1]]), self.times)
        self.counts = np.where(accepted, np.minimum(self.counts + 1, MAX_NODES), self.counts)

    @property
    def rate(self) -> Array:
        """(B,) change of the output per unit of t over the last step; 0 where only one is known."""
        known = self.counts > 1
        return np.where(known, self.change / np.where(known, self.times[0] - self.times[1], 1.0), 0.0)
