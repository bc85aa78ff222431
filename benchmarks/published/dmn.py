"""DMN: time steps that minimise a bound on the global error of an exponential multistep solver, without a model.

The solver's step is an integral of e**lambda times the polynomial through its last outputs, lambda = log(alpha/sigma).
With w the weight that the end state gives to every output, and an output's error taken as sigma**power / alpha, the
bound is the sum of |w| times those errors. Source: Xue et al. 2024, arXiv:2402.17376, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from torch import Tensor

from ...schedules.noise_space import Array, SigmaRange
from ...schedules.sigmas import finish_sigmas

ORDER = 3
# The highest level of the optimised range. Beyond it the assumed error, over alpha, has no bound on flow models.
_FLOW_TOP = 0.99
_NODES, _GAUSS = np.polynomial.legendre.leggauss(12)


def dmn_schedules(sigma_range: SigmaRange, steps: Sequence[int], power: int) -> dict[int, Tensor]:
    """Steps -> sigmas; no model is asked.

    Args:
        power: of sigma in an output's error: 1 for models of pixels, 2 for models of latents, as the authors choose.
    Differs: SLSQP in place of the authors' trust-region method, which takes six times as long to a higher bound; flow
        models, which they do not treat, are optimised from _FLOW_TOP, and start at sigma_max in its place.
    """
    return {count: finish_sigmas(_levels(sigma_range, count, power)) for count in steps}


def _levels(sigma_range: SigmaRange, steps: int, power: int) -> Array:
    """(steps,) positive levels."""
    top = min(sigma_range.sigma_max, _FLOW_TOP) if sigma_range.flow else sigma_range.sigma_max
    ends = _log_ratio(np.array([top, sigma_range.sigma_min]), sigma_range.flow)
    best = _optimised(np.linspace(ends[0], ends[1], steps + 1), sigma_range.flow, power)
    levels = 1.0 / (1.0 + np.exp(best)) if sigma_range.flow else np.exp(-best)
    levels[0] = sigma_range.sigma_max
    return levels[:-1]


def _optimised(start: Array, flow: bool, power: int) -> Array:
    """The minimiser of the bound near `start` (steps + 1,), with its ends kept."""
    if len(start) < 3:
        return start
    scale = (start[-1] - start[0]) / (len(start) - 1)

    def whole(inner: Array) -> Array:
        return np.concatenate([start[:1], inner, start[-1:]])

    # Steps of a thousandth of the even one at least: the polynomial's weights divide by them.
    order = {"type": "ineq", "fun": lambda inner: np.diff(whole(inner)) - 1e-3 * scale}
    found = minimize(
        lambda inner: error_bound(whole(inner), flow, power) if (np.diff(whole(inner)) > 0).all() else 1e9,
        start[1:-1],
        method="SLSQP",
        constraints=[order],
        options={"maxiter": 500, "ftol": 1e-9},
    )
    candidates = [start, whole(found.x)] if (np.diff(whole(found.x)) > 0).all() else [start]
    return min(candidates, key=lambda lam: error_bound(lam, flow, power))


def error_bound(lam: Array, flow: bool, power: int) -> float:
    """The bound for levels lam (steps + 1,), ascending."""
    steps, errors = len(lam) - 1, _output_errors(lam[:-1], flow, power)
    total, apart = np.zeros(steps), 0.0
    for step in range(steps):
        weights = step_weights(lam, step)
        first = step + 1 - len(weights)
        part = weights * errors[first : step + 1]
        if step in (0, steps - 1):
            apart += float(np.abs(part).sum())
        elif step < ORDER:  # the authors bound each of the first steps for itself
            apart += float(np.sqrt(np.square(part).sum()))
        else:
            total[first : step + 1] += part
    return apart + float(np.abs(total).sum())


def step_weights(lam: Array, step: int) -> Array:
    """What step `step`, from lam[step] to lam[step + 1], gives to its last outputs, the oldest first: 1 at the first
    and the last step, 2 at those next to them, else ORDER. The integral of e**lambda times Lagrange's polynomials."""
    steps = len(lam) - 1
    order = min(ORDER, step + 1, steps - step)
    nodes = lam[step + 1 - order : step + 1]
    half = 0.5 * (lam[step + 1] - lam[step])
    at = lam[step] + half * (_NODES + 1.0)
    weights = []
    for j in range(order):
        others = np.delete(nodes, j)
        basis = np.prod((at[:, None] - others) / (nodes[j] - others), axis=1)
        weights.append(half * np.sum(_GAUSS * np.exp(at) * basis))
    return np.array(weights)


def _log_ratio(sigma: Array, flow: bool) -> Array:
    return np.log1p(-sigma) - np.log(sigma) if flow else -np.log(sigma)


def _output_errors(lam: Array, flow: bool, power: int) -> Array:
    """sigma**power / alpha, with alpha**2 + sigma**2 = 1, or alpha + sigma = 1 on flow models."""
    ratio = np.exp(lam)  # alpha / sigma
    sigma = 1.0 / (1.0 + ratio) if flow else 1.0 / np.sqrt(1.0 + ratio**2)
    return sigma ** (power - 1) / ratio
