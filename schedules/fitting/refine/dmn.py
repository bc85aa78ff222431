"""DMN: time steps that minimise a bound on the global error of an exponential multistep solver, without a model.

Minimised over the inner levels lam_n = log(alpha_n / sigma_n), with ends kept:

    sum_j |sum_n w_nj| e_j,    w_nj = integral from lam_n to lam_{n+1} of exp(lam) l_nj(lam) d lam,
    e_j = sigma_j**power / alpha_j

w_nj is what step n gives to output j, l_nj the Lagrange polynomial of that output among those that the step uses, and
e_j the error that an output is taken to have. The inner sum runs over the steps n that use output j, with two
exceptions, as the authors bound them: the first and the last step add sum_j |w_nj| e_j of their own, the ORDER - 1
steps after the first sqrt(sum_j (w_nj e_j)**2).

Source: Xue et al. 2024, arXiv:2402.17376, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import minimize

from ...core.noise_space import Array, SigmaRange

ORDER = 3
# The highest level of the optimised range. Beyond it the assumed error, over alpha, has no bound on flow models.
_FLOW_TOP = 0.99
_NODES, _GAUSS = np.polynomial.legendre.leggauss(12)


def dmn_levels(sigma_range: SigmaRange, steps: int, power: int, check: Callable[[], None] = lambda: None) -> Array:
    """Noise levels of the steps from sigma_max to sigma_min with the smallest bound that a descent from even steps in
    lambda finds.

    Args:
        steps: solver intervals, >= 1.
        power: of sigma in an output's error: 1 for models of pixels, 2 for models of latents, as the authors choose.
        check: called all along; what it raises ends the descent.
    Returns:
        (steps,) float64 in the model's own noise std, decreasing, [0] == sigma_max; sigma_min itself, where the last
        step ends, is left out, for hosts put 0 in its place.
    Differs: SLSQP in place of the authors' trust-region method, which takes six times as long to a higher bound; flow
        models, which they do not treat, are optimised from _FLOW_TOP, and start at sigma_max in its place.
    """
    low, high = sigma_range.sigma_min, sigma_range.sigma_max
    # The middle: of a range that lies above _FLOW_TOP itself.
    top = min(high, max(_FLOW_TOP, 0.5 * (low + high))) if sigma_range.flow else high
    ends = _log_ratio(np.array([top, low]), sigma_range.flow)
    best = _optimised(np.linspace(ends[0], ends[1], steps + 1), sigma_range.flow, power, check)
    levels = 1.0 / (1.0 + np.exp(best)) if sigma_range.flow else np.exp(-best)
    levels[0] = high
    return levels[:-1]


def _optimised(start: Array, flow: bool, power: int, check: Callable[[], None]) -> Array:
    """The minimiser of the bound near `start` (steps + 1,), with its ends kept."""
    if len(start) < 3:
        return start
    scale = (start[-1] - start[0]) / (len(start) - 1)

    def whole(inner: Array) -> Array:
        return np.concatenate([start[:1], inner, start[-1:]])

    def bound(inner: Array) -> float:
        check()
        return error_bound(whole(inner), flow, power) if (np.diff(whole(inner)) > 0).all() else 1e9

    # Steps of a thousandth of the even one at least: the polynomial's weights divide by them.
    order = {"type": "ineq", "fun": lambda inner: np.diff(whole(inner)) - 1e-3 * scale}
    optimum = minimize(
        bound,
        start[1:-1],
        method="SLSQP",
        constraints=[order],
        options={"maxiter": 500, "ftol": 1e-9},
    )
    candidates = [start, whole(optimum.x)] if (np.diff(whole(optimum.x)) > 0).all() else [start]
    return min(candidates, key=lambda lam: error_bound(lam, flow, power))


def error_bound(lam: Array, flow: bool, power: int) -> float:
    """The bound for levels lam = log(alpha / sigma) (steps + 1,), ascending; in units of the end state's scale."""
    steps, errors = len(lam) - 1, _output_errors(lam[:-1], flow, power)
    total, apart = np.zeros(steps), 0.0
    for step, weights in _all_weights(lam):
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
    """Weights that the step from lam[step] to lam[step + 1] gives to its last outputs, the oldest first.

    They are 1 at the first and the last step, 2 at those next to them, else ORDER: the integrals of e**lambda times
    Lagrange's polynomials.
    """
    return dict(_all_weights(lam))[step]


def _all_weights(lam: Array) -> Iterator[tuple[int, Array]]:
    """(step, its weights) in order; those of one order are integrated together, which a descent needs fast."""
    steps = np.arange(len(lam) - 1)
    orders = np.minimum(ORDER, np.minimum(steps + 1, len(steps) - steps))
    half = 0.5 * (lam[1:] - lam[:-1])
    at = lam[:-1, None] + half[:, None] * (_NODES + 1.0)
    grown = _GAUSS * np.exp(at)
    weights: dict[int, Array] = {}
    for order in np.unique(orders):
        some = steps[orders == order]
        nodes = lam[some[:, None] + np.arange(1 - order, 1)]
        values = np.empty((len(some), order))
        for j in range(order):
            basis = np.ones((len(some), len(_NODES)))
            for other in (k for k in range(order) if k != j):
                basis *= (at[some] - nodes[:, other, None]) / (nodes[:, j, None] - nodes[:, other, None])
            values[:, j] = half[some] * (grown[some] * basis).sum(1)
        weights |= dict(zip(some.tolist(), values))
    return ((step, weights[step]) for step in range(len(steps)))


def _log_ratio(sigma: Array, flow: bool) -> Array:
    return np.log1p(-sigma) - np.log(sigma) if flow else -np.log(sigma)


def _output_errors(lam: Array, flow: bool, power: int) -> Array:
    """sigma**power / alpha, with alpha**2 + sigma**2 = 1, or alpha + sigma = 1 on flow models."""
    ratio = np.exp(lam)  # alpha / sigma
    sigma = 1.0 / (1.0 + ratio) if flow else 1.0 / np.sqrt(1.0 + ratio**2)
    return sigma ** (power - 1) / ratio
