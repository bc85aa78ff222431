"""Exponential quadrature over a step: weights of model outputs, one set per row.

    x(b) = carry * x(a) + sum_j weight_j D_j,   carry = sigma_b / sigma_a,   sum of weights = 1 - carry

where D between a and b is replaced by the polynomial in t through known outputs (extrapolated by a predictor,
interpolated by a corrector, whose first node is b) and the integral of it against d(1 / sigma) is exact.

Source: variation of constants as in Hochbruck and Ostermann 2010 (Acta Numerica 19), section 2; Lu et al. 2022,
arXiv:2211.01095 for data prediction; the corrector that costs no call is that of Zhao et al. 2023, arXiv:2302.04867.
Differs: polynomials in t of step_variable.py, on unequal steps; dpmpp_2m takes (1 - e^-h) h / 2 for the exact integral
h - 1 + e^-h of the slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from ..core.noise_space import Array
from .step_variable import StepVariable

MAX_NODES = 3
# Below this step the closed forms lose digits to cancellation; the series has converged to rounding there.
_SERIES_BELOW, _TERMS = 0.5, 14
_SERIES = [[factorial(k) / factorial(k + 1 + j) * (-1.0) ** j for j in range(_TERMS)] for k in range(3)]


def moments(h: Array) -> tuple[Array, Array, Array]:
    """Integrals of s**k exp(s - h) over s = 0..h, for k = 0, 1, 2."""
    small = np.minimum(h, _SERIES_BELOW)
    powers = small ** np.arange(_TERMS)[:, None]
    series = [small ** (k + 1) * (np.array(_SERIES[k]) @ powers) for k in range(3)]
    zero = -np.expm1(-h)
    one = h - zero
    two = h * h - 2.0 * one
    return tuple(np.where(h < _SERIES_BELOW, a, b) for a, b in zip(series, (zero, one, two)))  # pyright: ignore


@dataclass(frozen=True)
class StepTerms:
    """One step of every row in Newton's form: carry * x + sum over k of terms[k] * (divided difference k of outputs).

    Attributes:
        carry: (B,).
        terms: (3, B), 0 where a row has too few outputs.
        gaps: (3, B) distances in t between nodes 0 and 1, 0 and 2, 1 and 2; 1 where there is no such node.
    """

    carry: Array
    terms: Array
    gaps: Array

    def weights(self) -> Array:
        """(3, B) weights of the outputs, 0 for those that are not used."""
        zero, one, two = self.terms
        near, far, between = self.gaps
        first, second = one / near, two / (near * between)
        return np.stack([zero + first + two / (near * far), -first - second, two / (far * between)])

    def limited(self, most: Array) -> StepTerms:
        """The same with the term of third order at most `most` times as large."""
        return StepTerms(self.carry, self.terms * np.stack([np.ones_like(most), np.ones_like(most), most]), self.gaps)


def step_terms(
    variable: StepVariable, nodes: Array, counts: NDArray[np.int64], sigma_from: Array, sigma_to: Array
) -> StepTerms:
    """The terms of a step.

    Args:
        nodes: (3, B) t of the outputs; those to be used first.
        counts: (B,) how many of them a row uses, 1..3.
        sigma_from, sigma_to: (B,) noise levels > 0.
    """
    start, end = variable.at(sigma_from), variable.at(sigma_to)
    zero, one, two = moments(end - start)
    u = nodes - start
    gaps = np.stack([u[0] - u[1], u[0] - u[2], u[1] - u[2]])
    gaps = np.where(np.stack([counts > 1, counts > 2, counts > 2]), gaps, 1.0)
    # exp(t) dt = d(1 / sigma): offset and the flow's 1 - sigma are constants of 1 / sigma.
    scale = np.exp(end) * sigma_to
    terms = np.stack(
        [
            scale * zero,
            np.where(counts > 1, scale * (one - u[0] * zero), 0.0),
            np.where(counts > 2, scale * (two - (u[0] + u[1]) * one + u[0] * u[1] * zero), 0.0),
        ]
    )
    return StepTerms(sigma_to / sigma_from, terms, gaps)
