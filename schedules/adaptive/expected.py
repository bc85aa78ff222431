"""Where steps are needed: what models usually do, corrected by what this one was measured to do.

The local error of a third-order step of length h is about weight * rate * h**4 / 2: `rate` is how fast the model output
changes per unit of t, in units of the data's standard deviation, and its higher derivatives go with it; `weight` is how
much of an error survives to the end. Equal errors therefore need the density (weight * rate / (2 * tolerance))**(1/4)
of steps per unit of t. Before a stretch is reached, its rate is the expected one, times the measured surprise where the
run is now, which fades with distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.noise_space import Array
from .step_variable import StepVariable

ORDER = 4
# Fitted by hand to the bundled networks and to mixtures with power-law spectra (benchmarks/studies/adaptive.py),
# without guidance and with: the rate of change rises as sigma**RISE in the details, falls slowly above sigma CENTRE.
LEVEL, CENTRE, RISE, FALL = 0.8, 4.0, 0.6, 0.2
# Measured surprise fades over one unit of t: a factor e in sigma.
MEMORY = 1.0
# exp(3) = 20 times as fast or as slow as expected: beyond that a measurement is an accident of rounding.
_SURPRISE_LIMIT = 3.0
_POINTS = 257


def expected_rate(ve_sigma: Array) -> Array:
    """Rate of change of the model output per unit of t at a VE sigma, for data of standard deviation 1."""
    relative = ve_sigma / CENTRE
    return LEVEL / (relative**-RISE + relative**FALL)


def state_weight(variable: StepVariable, t: Array) -> Array:
    """Share of an error of the state at t that reaches the end.

    An error of a VE state that the model does not react to stays as it is; for Gaussian data it shrinks by
    1 / sqrt(1 + sigma**2). Models are between: the geometric mean. A flow state keeps its size, and so its errors.
    """
    return np.ones_like(t) if variable.flow else (1.0 + variable.ve_sigma(t) ** 2) ** -0.25


def error_weight(variable: StepVariable, t: Array) -> Array:
    """The same for an error of the model output over one unit of t."""
    return variable.share(t) * state_weight(variable, t)


@dataclass(frozen=True)
class StepDensity:
    """Density of steps over a stretch, at tolerance 1, for rows at places and surprises of their own.

    Args:
        start, end: t, start < end.
    """

    variable: StepVariable
    start: float
    end: float

    def __post_init__(self) -> None:
        grid = np.linspace(self.start, self.end, _POINTS)
        error = error_weight(self.variable, grid) * expected_rate(self.variable.ve_sigma(grid)) / 2.0
        object.__setattr__(self, "_grid", grid)
        object.__setattr__(self, "_density", error ** (1.0 / ORDER))

    def surprise(self, rate: Array, t: Array) -> Array:
        """(B,) log of a measured rate at t over the expected one."""
        surprise = np.log(np.maximum(rate, 1e-12) / expected_rate(self.variable.ve_sigma(t)))
        return np.clip(surprise, -_SURPRISE_LIMIT, _SURPRISE_LIMIT)

    def ahead(self, t: Array, surprise: Array) -> Ahead:
        """The rest of the stretch as rows at t (B,) see it."""
        grid: Array = self._grid  # pyright: ignore[reportAttributeAccessIssue]
        density: Array = self._density  # pyright: ignore[reportAttributeAccessIssue]
        distance = np.maximum(grid - t[:, None], 0.0)
        seen = density * np.exp(surprise[:, None] / ORDER * np.exp(-distance / MEMORY))
        steps = np.zeros_like(seen)
        steps[:, 1:] = np.cumsum(0.5 * (seen[:, 1:] + seen[:, :-1]) * np.diff(grid), axis=1)
        here = np.array([np.interp(at, grid, row) for at, row in zip(t, steps)])
        return Ahead(grid, steps - here[:, None])


@dataclass(frozen=True)
class Ahead:
    """Steps at tolerance 1 from a row's place onwards.

    Attributes:
        grid: (points,) t.
        steps: (B, points) number of steps to there; negative behind the row.
    """

    grid: Array
    steps: Array

    @property
    def total(self) -> Array:
        """(B,) steps to the end."""
        return self.steps[:, -1]

    def after(self, steps: Array) -> Array:
        """(B,) t that many steps on, at most the end."""
        return np.array([np.interp(count, row, self.grid) for count, row in zip(steps, self.steps)])
