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

import numpy as np
from numpy.typing import NDArray

from ..noise_space import Array
from .step_variable import StepVariable

MAX_NODES = 3
# Exact to rounding for cubic times exponential over steps of up to about 4 in t, and 1e-7 at 8.
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(10)


def step_weights(
    variable: StepVariable, nodes: Array, counts: NDArray[np.int64], sigma_from: Array, sigma_to: Array
) -> tuple[Array, Array]:
    """Carry and weights of one step of every row.

    Args:
        nodes: (k, B) t of the known outputs, those to be used first.
        counts: (B,) how many of them a row uses, 1..k.
        sigma_from, sigma_to: (B,) noise levels > 0.
    Returns:
        (B,) carry, (k, B) weights, 0 for outputs that are not used.
    """
    start, end = variable.at(sigma_from), variable.at(sigma_to)
    half = 0.5 * (end - start)
    t = start + half * (_POINTS[:, None] + 1.0)  # (points, B)
    # exp(t) dt = d(1 / sigma): offset and the flow's 1 - sigma are constants of 1 / sigma.
    measure = half * _WEIGHTS[:, None] * np.exp(t) * sigma_to
    weights = np.zeros_like(nodes)
    for count in np.unique(counts).tolist():
        rows = counts == count
        for j in range(count):
            basis = measure[:, rows]
            for other in range(count):
                if other != j:
                    basis = basis * (t[:, rows] - nodes[other, rows]) / (nodes[j, rows] - nodes[other, rows])
            weights[j, rows] = basis.sum(axis=0)
    return sigma_to / sigma_from, weights
