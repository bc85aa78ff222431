"""How the end of a fitted multistep run changes with its unknowns, for a few model calls a step.

With E_i what a change of the unknowns z does to the state x_i, D_i the model's output there and c_i, w_i the row of
coefficients (samplers/loop.py), E_0 is 0 and

    E_{i+1} = c_i E_i + sum_j w_ij dD_{i-j} + x_i dc_i/dz + sum_j D_{i-j} dw_ij/dz
    dD_i = J_i E_i + (dD_i / dsigma_i) dsigma_i/dz

J_i is the model's own Jacobian, which costs calls. What moves a state lies near few directions: x_0, the outputs so
far, and what became of earlier changes. So in every row J_i is applied, by forward differences, to the leading `rank`
left singular vectors U of E_i, each unknown in units of its own difference, and taken as a number on the rest:
J_i E = (J_i U) U'E + g (E - U U'E), with g the mean of u'J_i u over the later half of U.

That is exact where `rank` is what the columns span: 2, 6, 11, 17, .. at steps 1, 2, 3, 4. Forward differences of every
column instead run every step after it.

Source: Dickinson and Gelinas 1976 (forward sensitivity equations); a few directions in their place are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...core.frequencies import frequency_weighted
from ...core.noise_space import Array
from ...samplers.loop import sample_linear
from ..objective import Objective, Trial
from ..rollouts import take_rows

# Shares: of a visible difference by which lists are compared; of the run's error by which a direction moves a state,
# and of a sigma by which that is moved: .3 and .03 are lost where outputs are rounded to bfloat16, these are not.
_LIST_SHARE, _STATE_SHARE, _SIGMA_SHARE = 0.01, 2.0, 0.05
# Directions that all columns span at step 1, and that each further step adds at least.
_SPAN, _FURTHER = 2, 4
# Of the first singular value; what is smaller is rounding.
_ROUNDING = 1e-6
# Of what is held meanwhile: latents of video are too large for it.
_MOST_BYTES = 2 * 2**30


class Lists(Protocol):
    """Unknowns near a trial, z = 0, that stand for a sigma list and coefficients."""

    @property
    def differences(self) -> Array:
        """(columns,) a visible change of each."""
        ...

    def lists(self, z: Array) -> tuple[Tensor, Tensor]:
        """((steps + 1,) sigmas, (steps, 1 + order) coefficients) at z."""
        ...


def tangent_calls(steps: int, rank: int) -> int:
    """Model calls for each row, beside those of the run itself."""
    return sum(1 + _directions(i, rank) for i in range(1, steps))


def fits_in_memory(steps: int, rank: int, batch_bytes: int) -> bool:
    """Whether what is held meanwhile is no more than a fit may hold."""
    return _held_bytes(steps, rank, batch_bytes) <= _MOST_BYTES


def most_held(steps: int, rank: int, batch_bytes: int) -> int:
    """Bytes that are held meanwhile at most, of ranks up to this one."""
    return min(_held_bytes(steps, rank, batch_bytes), _MOST_BYTES)


def held_batches(steps: int, rank: int) -> int:
    """Tensors like the batch that all else is made of: states, outputs and answers."""
    return 2 * steps + tangent_calls(steps, rank)


def _held_bytes(steps: int, rank: int, batch_bytes: int) -> int:
    """Of these, and of the outputs that the answers are differences of, which are recorded."""
    return (held_batches(steps, rank) + tangent_calls(steps, rank)) * batch_bytes


def tangent_slope(objective: Objective, trial: Trial, unknowns: Lists, rank: int) -> Tensor:
    """(B, m, columns) float64 derivative of a trial's residuals with respect to the unknowns.

    Args:
        trial: at z = 0, with coefficients; those of its model outputs that are still there are not asked for again.
        rank: directions that are followed at every step.
    """
    coefficients = trial.coefficients
    assert coefficients is not None
    sigmas, rows = _changes(unknowns)
    length = _STATE_SHARE * float(trial.errors.square().mean().sqrt()) * trial.rollout.end[0].numel() ** 0.5
    units = torch.from_numpy(unknowns.differences)
    tangents = _Tangents(objective, coefficients, sigmas, rows, units, rank, length)
    about = ("tangents", rank, coefficients, sigmas, rows)
    return objective.rollouts.left_behind(tangents, trial.sigmas, objective.rows, trial.rollout, about).double()


def _directions(step: int, rank: int) -> int:
    return min(rank, _SPAN + _FURTHER * (step - 1))


def _changes(unknowns: Lists) -> tuple[Tensor, Tensor]:
    """((columns, steps + 1) of the sigmas, (columns, steps, 1 + order) of the coefficients) for a unit of each."""
    sigmas, rows = [], []
    for move in np.diag(_LIST_SHARE * unknowns.differences):
        (above, more), (below, less), width = unknowns.lists(move), unknowns.lists(-move), 2.0 * float(move.max())
        sigmas.append((above.double() - below.double()) / width)
        rows.append((more.double() - less.double()) / width)
    return torch.stack(sigmas), torch.stack(rows)


@dataclass
class _Tangents:
    """A sampler function that makes a run again, from its known outputs, and then follows what moves it.

    Args:
        sigmas, rows: changes for a unit of each unknown, as `_changes`.
        units: (columns,) in which directions are compared.
        length: of what a state is moved by.

    After a run `left` holds the slope, (B, m, columns) float32.
    """

    objective: Objective
    coefficients: Tensor
    sigmas: Tensor
    rows: Tensor
    units: Tensor
    rank: int
    length: float
    left: Tensor = field(init=False)

    def __call__(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
    ) -> Tensor:
        calls: list[dict[str, Any]] = []
        end = sample_linear(model, x, sigmas, extra_args, calls.append, coefficients=self.coefficients)
        steps, mask = len(self.coefficients), (extra_args or {}).get("denoise_mask")
        parts = _Parts(self._sketch, x.shape, held_batches(steps, self.rank), len(self.units))
        change = parts.nothing()
        moved: list[Tensor] = []  # changes of the outputs, newest first
        outputs: list[int] = []  # their numbers
        for i, call in enumerate(calls):
            state = parts.add(call["x"])
            outputs.insert(0, parts.add(call["denoised"]))
            moved.insert(0, self._moved(parts, model, call, change, i, extra_args or {}) if i else parts.nothing())
            row, changes = self.coefficients[i].tolist(), self.rows[:, i]
            change = row[0] * change
            change[:, state] += changes[:, 0]
            for weight, output, by, moves in zip(row[1:], outputs, changes.T[1:], moved):
                change += weight * moves
                change[:, output] += by
            del moved[len(row) - 1 :]
        self.left = take_rows(parts.seen(change, moved[0], mask), self.objective.rows).float()
        return end

    def _moved(
        self, parts: _Parts, model: Any, call: dict[str, Any], change: Tensor, step: int, args: dict[str, Any]
    ) -> Tensor:
        """Weights of how the output of a step changes: J E, and what its sigma does."""
        x, denoised, ones = call["x"], call["denoised"], call["x"].new_ones(len(call["x"]))
        sigma = float(call["sigma"])
        directions, along = parts.leading(change * self.units, _directions(step, self.rank))
        answers = []
        for direction in parts.mixed(self.length * directions):
            answers.append(parts.add((model(x + direction.to(x), sigma * ones, **args) - denoised) / self.length))
        lower = model(x, (1.0 - _SIGMA_SHARE) * sigma * ones, **args)
        by_sigma = parts.add((denoised - lower) / (_SIGMA_SHARE * sigma))
        shares = along / self.units  # U'E
        own = parts.each_with(directions, answers)  # (B, directions) u'J u
        rest = own[:, len(answers) // 2 :].mean(dim=1)[:, None, None]
        moved = rest * (change - directions @ shares)
        moved[:, answers] += shares
        moved[:, by_sigma] += self.sigmas[:, step]
        return moved

    def _sketch(self, values: Tensor) -> Tensor:
        return self.objective.sketch(frequency_weighted(values, self.objective.frequency_weight))


class _Parts:
    """Tensors like the batch that states, outputs and their changes are made of, each kept in full and as a sketch.

    All else is weights of these: (B, count) of one tensor, (B, count, columns) of one for every unknown.
    """

    def __init__(self, sketch: Callable[[Tensor], Tensor], shape: torch.Size, count: int, columns: int) -> None:
        self._sketch, self._shape, self._columns = sketch, shape, columns
        self._full = torch.zeros(shape[0], count, shape[1:].numel())
        self._sketches: list[Tensor] = []
        self.products = torch.zeros(shape[0], count, count, dtype=torch.float64)

    def nothing(self) -> Tensor:
        """Weights of no change."""
        return torch.zeros(*self._full.shape[:2], self._columns, dtype=torch.float64)

    def add(self, values: Tensor) -> int:
        """The number of a new tensor."""
        number = len(self._sketches)
        self._full[:, number] = values.detach().flatten(1).cpu()
        self._sketches.append(self._sketch(self._batch(number)))
        products = torch.stack([(self._sketches[-1] * other).sum(dim=1) for other in self._sketches], dim=1)
        self.products[:, number, : number + 1] = self.products[:, : number + 1, number] = products
        return number

    def mixed(self, weights: Tensor) -> list[Tensor]:
        """Tensors like the batch, one for each of the weights (B, count, several)."""
        count = len(self._sketches)
        tensors = weights[:, :count].float().mT @ self._full[:, :count]
        return [tensor.reshape(self._shape) for tensor in tensors.unbind(dim=1)]

    def leading(self, changes: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        """(weights (B, count, rank) of the leading left singular vectors U, U' changes (B, rank, columns))."""
        squares = changes.mT @ self.products @ changes
        # LAPACK finds no eigenvectors of some matrices whose small eigenvalues are all rounding.
        least = _ROUNDING**2 * squares.diagonal(dim1=1, dim2=2).sum(dim=1)
        squares, right = torch.linalg.eigh(squares + torch.diag_embed(least[:, None].expand(squares.shape[:2])))
        values = squares[:, -rank:].flip(1).clamp_min(0.0).sqrt()
        right = right[:, :, -rank:].flip(2)
        real = values > _ROUNDING * values[:, :1]
        return changes @ right * (real / values.clamp_min(1e-300))[:, None], values[:, :, None] * right.mT

    def each_with(self, directions: Tensor, numbers: list[int]) -> Tensor:
        """(B, directions) product of each direction with the tensor of its number."""
        return (directions * self.products[:, :, numbers]).sum(dim=1)

    def seen(self, change: Tensor, output: Tensor, mask: Tensor | None) -> Tensor:
        """(B, m, columns) sketches of the end's change, from that of the last state and of the last output.

        Outside a mask the end is the output itself.
        """
        sketches, count = torch.stack(self._sketches, dim=2), len(self._sketches)
        if mask is None:
            return sketches @ change[:, :count]
        mask = mask.cpu().float()
        inside = torch.stack([self._sketch(self._batch(number) * mask) for number in range(count)], dim=2)
        return inside @ change[:, :count] + (sketches - inside) @ output[:, :count]

    def _batch(self, number: int) -> Tensor:
        return self._full[:, number].reshape(self._shape)
