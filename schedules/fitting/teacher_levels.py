"""Noise levels at which a reference solution is computed."""

from __future__ import annotations

import numpy as np

from ..core.noise_space import Array, SigmaRange, shift_flow, told_shift

# Above this the output is the mean of the data, whatever the state: one exact step leads down to it, and the levels of
# a range that is ten times wider (zero terminal SNR) are better spent below.
_NOISE_ALONE = 80.0
# Places of further levels in the first step of a cold start, as shares of its log sigma.
_FIRST_STEPS = (0.09, 0.3)


def teacher_sigmas(nodes: int, sigma_range: SigmaRange, *, cold: bool = False) -> Array:
    """Noise levels for a teacher: dense where any sane student is dense.

    The node density is the mean of three: uniform in log sigma (detail), in the noise fraction sigma / (1 + sigma)
    (structure; on flow models sigma itself) and in log-SNR (flow: log-odds, cut at 0.99). Of 16 such blends it had the
    smallest or nearly the smallest teacher error on mixtures, VE and flow, with and without guidance. The levels of a
    flow model with a shift are those without one, shifted.

    Args:
        cold: whether the model's output bends at the first level, as it does in a run that starts below sigma_max. Two
            of the levels are then put into the first step, which has no history: the error of 48 levels falls to a
            third and less (trained networks). From sigma_max they are better spent elsewhere.

    Returns:
        (nodes,) float64, decreasing, from sigma_max to sigma_min.
    """
    if not sigma_range.flow and sigma_range.sigma_max > 2.0 * _NOISE_ALONE and nodes > 2:
        below = SigmaRange(sigma_range.sigma_min, _NOISE_ALONE)
        return np.append(sigma_range.sigma_max, teacher_sigmas(nodes - 1, below, cold=cold))
    shift = told_shift(sigma_range.sigma_min) if sigma_range.flow else 1.0
    top, low = (float(shift_flow(sigma, 1.0 / shift)) for sigma in (sigma_range.sigma_max, sigma_range.sigma_min))
    fine = np.geomspace(top, low, 4096)
    fraction = fine if sigma_range.flow else fine / (1.0 + fine)
    odds = fine / np.maximum(1.0 - fine, 0.01) if sigma_range.flow else fine
    coordinates = (np.log(fine), fraction, np.log(odds))
    even = nodes - len(_FIRST_STEPS) if cold and nodes > 3 * len(_FIRST_STEPS) else nodes
    position = sum((c[0] - c) / (c[0] - c[-1]) for c in coordinates) / len(coordinates)
    sigmas = shift_flow(np.exp(np.interp(np.linspace(0.0, 1.0, even), position, np.log(fine))), shift)
    sigmas[0], sigmas[-1] = sigma_range.sigma_max, sigma_range.sigma_min
    first = sigmas[0] * (sigmas[1] / sigmas[0]) ** np.array(_FIRST_STEPS[: nodes - even])
    return np.concatenate([sigmas[:1], first, sigmas[1:]])
