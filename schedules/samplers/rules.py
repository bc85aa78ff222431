"""The hosts' deterministic samplers as linear multistep rules: the coefficients of their steps, by the noise levels.

One step from sigma_i to s = sigma_{i+1} is

    x_{i+1} = a x_i + sum_j w_j F_{i-j}

with F the model output `denoised` D (exponential form, a = s / sigma_i, sum w = 1 - a) or the derivative
d = (x - D) / sigma (Adams form, a = 1, sum w = s - sigma_i). The last step, to sigma = 0, returns D in every rule.
Fits without a host run these; in a host, the host's own functions run and these only start the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..core.noise_space import Array
from .loop import Feature

# Levels are floats, or arrays that broadcast; so are the weights then.
Weights = Callable[[Sequence[Any], Any], Sequence[Any]]


@dataclass(frozen=True)
class MultistepRule:
    """A linear multistep method.

    Args:
        feature: what its weights multiply.
        order: number of past features it uses at most, the current one included.
        weights: (sigmas newest first, at most `order` of them; next sigma > 0) -> one weight per sigma; elementwise
            where the sigmas are arrays that broadcast.
    """

    feature: Feature
    order: int
    weights: Weights

    def carry(self, sigma: float, sigma_next: float) -> float:
        """The factor a of the current state."""
        return sigma_next / sigma if self.feature == "denoised" else 1.0

    def coefficients(self, levels: Sequence[float]) -> list[list[float] | None]:
        """One row (a, w_0, w_1, ...) a step for the loop; None for the step to 0, which is the last."""
        rows: list[list[float] | None] = []
        for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
            if sigma_next == 0.0:
                return [*rows, None]
            past = levels[i::-1][: self.order]
            rows.append([self.carry(sigma, sigma_next), *map(float, self.weights(past, sigma_next))])
        return rows


def _euler(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    return [sigma_next - sigmas[0]]


def _dpmpp_2m(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """DPM-Solver++(2M), Lu et al. 2022, arXiv:2211.01095, algorithm 2, in t = -log sigma."""
    rest = 1.0 - sigma_next / sigmas[0]
    if len(sigmas) == 1:
        return [rest]
    r = np.log(sigmas[1] / sigmas[0]) / np.log(sigmas[0] / sigma_next)
    return [rest * (1.0 + 0.5 / r), -rest * 0.5 / r]


def _res_multistep(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """Second-order exponential multistep, Zhang et al. 2023, arXiv:2308.02157: the linear term integrated exactly."""
    h = np.log(sigmas[0] / sigma_next)
    rest = -np.expm1(-h)  # h * phi_1(-h)
    if len(sigmas) == 1:
        return [rest]
    slope = (h + np.expm1(-h)) / np.log(sigmas[1] / sigmas[0])  # h**2 * phi_2(-h) over the last step in t
    return [rest + slope, -slope]


_IPNDM = ([1.0], [1.5, -0.5], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24])


def _ipndm(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """Adams-Bashforth weights of equal steps on unequal ones, Zhang and Chen 2022, arXiv:2204.13902 (iPNDM)."""
    return [(sigma_next - sigmas[0]) * b for b in _IPNDM[len(sigmas) - 1]]


def _adams(sigmas: Sequence[Any], sigma_next: Any) -> Sequence[Any]:
    """Adams-Bashforth on unequal steps: the polynomial through the past derivatives, integrated over sigma exactly."""
    nodes = np.stack(np.broadcast_arrays(*sigmas, sigma_next)[:-1], axis=-1).astype(np.float64)
    scale = nodes[..., :1] - np.asarray(sigma_next)[..., None]
    local = (nodes - nodes[..., :1]) / scale  # well-conditioned: the step is -1 long
    powers = np.arange(nodes.shape[-1])
    vandermonde = np.swapaxes(local[..., None] ** powers, -1, -2)
    moments = np.broadcast_to((-1.0) ** (powers + 1) / (powers + 1), nodes.shape)
    weights = np.linalg.solve(vandermonde, moments[..., None])[..., 0] * scale
    return [weights[..., j] for j in powers]


# VP time of the noise levels 0.002 .. 80 at times 0.001 .. 1, the only one that the hosts' deis knows.
_EDGE, _LOW, _HIGH = 1e-3, np.log1p(0.002**2), np.log1p(80.0**2)
_BETA_SLOPE = 2.0 * (_HIGH - _LOW / _EDGE) / (1.0 - _EDGE)
_BETA_FIRST = _HIGH - 0.5 * _BETA_SLOPE
_NODES, _GAUSS = np.polynomial.legendre.leggauss(24)


def _vp_time(sigma: ArrayLike) -> Array:
    """Time t of log(1 + sigma**2) = 0.5 * slope * t**2 + first * t."""
    rise = np.log1p(np.square(np.asarray(sigma, dtype=np.float64)))
    return (np.sqrt(_BETA_FIRST**2 + 2.0 * _BETA_SLOPE * rise) - _BETA_FIRST) / _BETA_SLOPE


def _deis(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """tAB-DEIS, Zhang and Chen 2022, arXiv:2204.13902: the polynomial is one in VP time, integrated over sigma.

    Differs: Gauss quadrature in log sigma; the hosts sum 10,000 points in float32, which differs by about 1e-4.
    """
    first, last = (np.asarray(sigma, dtype=np.float64)[..., None] for sigma in (sigmas[0], sigma_next))
    half = 0.5 * np.log(last / first)
    at = first * np.exp(half * (_NODES + 1.0))
    past, time = [_vp_time(sigma)[..., None] for sigma in sigmas], _vp_time(at)
    weights = []
    for j, own in enumerate(past):
        basis = half * at * _GAUSS
        for other in past[:j] + past[j + 1 :]:
            basis = basis * (time - other) / (own - other)
        weights.append(basis.sum(axis=-1))
    return weights


def _gradient_estimation(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """Permenter and Yuan 2023, arXiv:2306.04848, gamma = 2: d + (d - d_old)."""
    dt = sigma_next - sigmas[0]
    return [dt] if len(sigmas) == 1 else [2.0 * dt, -dt]


MULTISTEP_RULES: dict[str, MultistepRule] = {
    "euler": MultistepRule("derivative", 1, _euler),
    "ddim": MultistepRule("derivative", 1, _euler),
    "dpmpp_2m": MultistepRule("denoised", 2, _dpmpp_2m),
    "res_multistep": MultistepRule("denoised", 2, _res_multistep),
    "gradient_estimation": MultistepRule("derivative", 2, _gradient_estimation),
    "ipndm": MultistepRule("derivative", 4, _ipndm),
    "deis": MultistepRule("derivative", 3, _deis),
    "lms": MultistepRule("derivative", 4, _adams),
}
