"""The states of a batch whose rows stand at noise levels of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.noise_space import Array
from .quadrature import MAX_NODES

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


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
    factors = np.concatenate([carry[None], weights[: len(outputs)]])
    if len(carry) == 1 or (factors == factors[:, :1]).all():
        numbers = factors[:, 0].tolist()
        total = x * numbers[0]
        for weight, output in zip(numbers[1:], outputs):
            total.add_(output, alpha=weight)
        return total
    # To x's type on the CPU: float64 never reaches a device.
    rows = torch.from_numpy(factors).to(x.dtype).to(x.device).reshape(*factors.shape, *[1] * (x.ndim - 1))
    total = x * rows[0]
    for weight, output in zip(rows[1:], outputs):
        total.addcmul_(output, weight)
    return total


@dataclass
class RowStates:
    """Accepted states and the last outputs.

    Attributes:
        x: (B, ...) states.
        sigma: (B,) their noise levels.
        times: (MAX_NODES, B) t of the outputs, newest first.
        outputs: tensors (B, ...), newest first.
        counts: (B,) outputs known since the start or the last reset.
        size: (B,) root mean square of the newest output.
        change: (B,) of the difference of the newest two outputs.
        bend: (B,) of the second divided difference of the newest three.
    """

    x: Tensor
    sigma: Array
    times: Array = field(init=False)
    counts: Counts = field(init=False)
    size: Array = field(init=False)
    change: Array = field(init=False)
    bend: Array = field(init=False)
    outputs: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop the history: outputs of another conditioning say nothing about this one's."""
        self.times = np.zeros((MAX_NODES, len(self.sigma)))
        self.counts = np.zeros(len(self.sigma), dtype=np.int64)
        self.size, self.change, self.bend = np.zeros((3, len(self.sigma)))
        self.outputs = []

    def measure(self, output: Tensor, t: Array) -> tuple[Array, Array, Array]:
        """size, change and bend of the rows if they move on to this output at t; one transfer from the device.

        Not finite where the output is not.
        """
        new = output.flatten(1).float()
        means = [new.square().mean(dim=1)]
        if self.outputs:
            newest = self.outputs[0].flatten(1).float()
            step = new - newest
            means.append(step.square().mean(dim=1))
            if len(self.outputs) > 1:
                before = newest - self.outputs[1].flatten(1).float()
                means += [(step * before).mean(dim=1), before.square().mean(dim=1)]
        sums = torch.stack(means).cpu().double().numpy()
        size, change = np.sqrt(sums[0]), np.sqrt(sums[1]) if len(sums) > 1 else np.zeros(len(t))
        if len(sums) < 4:
            return size, change, np.zeros(len(t))
        three = self.counts > 1
        first = np.where(three, t - self.times[0], 1.0)
        second = np.where(three, self.times[0] - self.times[1], 1.0)
        square = sums[1] / first**2 - 2.0 * sums[2] / (first * second) + sums[3] / second**2
        return size, change, np.where(three, np.sqrt(np.maximum(square, 0.0)) / (first + second), 0.0)

    def push(
        self, accepted: Mask, x: Tensor, sigma: Array, t: Array, output: Tensor, measured: tuple[Array, Array, Array]
    ) -> None:
        """Move the accepted rows to a new state with its output and what `measure` said; the others stay."""
        self.x = choose(accepted, x, self.x)
        self.sigma = np.where(accepted, sigma, self.sigma)
        for name, values in zip(("size", "change", "bend"), measured):
            setattr(self, name, np.where(accepted, values, getattr(self, name)))
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
