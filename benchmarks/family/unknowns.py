"""The unknowns of the family: shared levels and parameters of every step count; each model's own scale and stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...schedules.core.noise_space import Array, SigmaRange
from ...schedules.family.learned import ORDER, TERMS, Family, Learned
from ...schedules.family.placing import placed_levels
from ...schedules.samplers.parameters import allowed, coefficients_of, dpmpp_2m_parameters

# Model -> (log scale, stretch).
Places = Mapping[str, tuple[float, float]]
# A step of the Gauss-Newton method moves levels, scale and stretch by at most this much.
_MOST_LEVEL, _MOST_SCALE, _MOST_STRETCH = 0.7, 0.5, 0.2
_SCALES, _STRETCHES = (-2.0, 2.5), (0.5, 1.9)


@dataclass(frozen=True)
class Basis:
    """The directions in which the unknowns of one step count move.

    Args:
        levels: (columns, steps - 1) hat functions over the levels.
        parameters: (columns, steps, features) hat functions over the steps, of one term.
        first: (columns,) first step that each of `parameters` changes.
    """

    levels: Array
    parameters: Array
    first: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.levels) + TERMS * len(self.parameters)


def basis_of(steps: int) -> Basis:
    """Every level and parameter up to 8 steps; above, hats that tie neighbours."""
    knots = steps if steps <= 8 else 6 if steps <= 10 else 4
    free = allowed(steps, ORDER)
    columns: list[Array] = []
    for feature in range(free.shape[1]):
        inner = np.flatnonzero(free[:-1, feature])
        for hat in hats(len(inner), knots):
            column = np.zeros(free.shape)
            column[inner, feature] = hat
            columns.append(column)
        if free[-1, feature]:  # the step to 0 is unlike others
            column = np.zeros(free.shape)
            column[-1, feature] = 1.0
            columns.append(column)
    first = tuple(int(np.flatnonzero(column.any(axis=1))[0]) for column in columns)
    return Basis(hats(steps - 1, steps if steps <= 10 else 8), np.stack(columns), first)


def hats(count: int, knots: int) -> Array:
    """(min(count, knots), count) hat functions that sum to 1."""
    knots = min(count, knots)
    if knots < 2:
        return np.ones((knots, count))
    at = np.linspace(0.0, count - 1.0, knots)
    return np.stack([np.interp(np.arange(count), at, hat) for hat in np.eye(knots)])


@dataclass(frozen=True)
class Unknowns:
    """A point of the search.

    Args:
        shared: step count -> levels and parameters.
        own: where each model lies.
        bases: step count -> its directions.
        held: whether `own` stays as it is.
        high: whether the term for guidance above 3 is all that moves; else it stays.
    """

    shared: Mapping[int, Learned]
    own: Places
    bases: Mapping[int, Basis]
    held: bool = False
    high: bool = False

    def still(self, layout: Layout) -> NDArray[np.int64]:
        """Places of the unknowns that stay as they are."""
        places: list[int] = []
        for steps, basis in self.bases.items():
            start, last = layout.shared[steps].start, layout.shared[steps].stop - len(basis.parameters)
            places += range(start, last) if self.high else range(last, layout.shared[steps].stop)
        if self.held or self.high:
            places += range(layout.size - 2 * len(self.own), layout.size)
        return np.array(places)

    def run_lists(self, steps: int, key: str, guidance: float, sigma_range: SigmaRange) -> tuple[Array, Array]:
        """(sigmas, coefficients) of a model's run, float64."""
        sigmas = sigma_list(self.shared[steps].levels, *self.own[key], sigma_range)
        return sigmas, rows_of(self.shared[steps].parameters_at(guidance), sigmas)

    def moved(self, step: Array, layout: Layout) -> Unknowns:
        """The point after a step of the whole vector of unknowns, cut where it would go too far."""
        shared: dict[int, Learned] = {}
        for steps, known in self.shared.items():
            basis, part = self.bases[steps], step[layout.shared[steps]]
            count, width = len(basis.levels), len(basis.parameters)
            levels = known.levels + np.clip(part[:count] @ basis.levels, -_MOST_LEVEL, _MOST_LEVEL)
            change = part[count:].reshape(TERMS, width)
            shared[steps] = Learned(levels, known.parameters + np.tensordot(change, basis.parameters, axes=1))
        own = {}
        for key, (scale, stretch) in self.own.items():
            up = np.clip(step[layout.own[key]][0], -_MOST_SCALE, _MOST_SCALE)
            along = np.clip(step[layout.own[key]][1], -_MOST_STRETCH, _MOST_STRETCH)
            own[key] = (float(np.clip(scale + up, *_SCALES)), float(np.clip(stretch + along, *_STRETCHES)))
        return replace(self, shared=shared, own=own)

    def at_places(self, places: Places, *, held: bool) -> Unknowns:
        """The point with models where they are known to lie.

        Raises:
            KeyError: they are to be held, and one has no place.
        """
        own = {key: places[key] if held else places.get(key, old) for key, old in self.own.items()}
        return replace(self, own=own, held=held)

    def as_learned(self, family: Family, *, flow: bool) -> Unknowns:
        """The point with the levels and parameters of a family."""
        return replace(self, shared={steps: family.at(steps, flow=flow) for steps in self.shared})

    @property
    def in_order(self) -> bool:
        """Whether the levels of every step count fall, visibly."""
        return all(bool((np.diff(known.levels) < -0.02).all()) for known in self.shared.values())


@dataclass(frozen=True)
class Layout:
    """Places of the unknowns in one vector."""

    shared: Mapping[int, slice]
    own: Mapping[str, slice]
    size: int


def layout_of(unknowns: Unknowns) -> Layout:
    shared: dict[int, slice] = {}
    own: dict[str, slice] = {}
    end = 0
    for steps, basis in unknowns.bases.items():
        shared[steps] = slice(end, end + basis.size)
        end += basis.size
    for key in unknowns.own:
        own[key] = slice(end, end + 2)
        end += 2
    return Layout(shared, own, end)


def first_guess(counts: Sequence[int], keys: Sequence[str]) -> Unknowns:
    """Levels even in log sigma, DPM++ 2M, every model on the same scale."""
    bases = {steps: basis_of(steps) for steps in counts}
    shared = {
        steps: Learned(
            np.linspace(np.log(6.0), np.log(0.25 * (5.0 / steps) ** 0.7), steps - 1),
            np.zeros((TERMS, *bases[steps].parameters.shape[1:])),
        )
        for steps in counts
    }
    return Unknowns(shared, dict.fromkeys(keys, (0.0, 1.0)), bases)


def sigma_list(levels: Array, log_scale: float, stretch: float, sigma_range: SigmaRange) -> Array:
    """(steps + 1,) float64 sigmas, unrounded, so that small changes of the unknowns show."""
    inner = placed_levels(levels, log_scale, stretch, sigma_range)
    return np.concatenate([[sigma_range.sigma_max], inner, [0.0]])


def rows_of(parameters: Array, sigmas: Array) -> Array:
    """(steps, 1 + order) coefficients: the parameters are what is added to those of DPM++ 2M."""
    listed: Tensor = torch.from_numpy(sigmas)
    return coefficients_of(dpmpp_2m_parameters(listed, ORDER) + parameters, listed).double().numpy()
