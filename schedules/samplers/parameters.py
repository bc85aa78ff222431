"""The parameters of a fitted multistep sampler: its coefficients in coordinates that suit fitting and other models.

A step from sigma to s is a first-order exponential step plus features, each with a parameter theta:

    x' = a x + (1 - a) (D + sum_j theta_j (D - D_j) + theta_D D + theta_n n)

with a = s / sigma, n = (x - D) min(sigma, 1) / sigma, and D_j the output of j steps before. The differences are what
classical multistep rules weigh (DPM++ 2M: theta_1 = h / (2 h_1) alone); the last two features let a step shrink or
stretch the model output and the noise. Theta keeps its meaning while a sigma moves, plain weights do not.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.noise_space import Array

# Features that are no differences: the output itself and the noise direction.
AFFINE = 2
# Of a list's steps: runs that start later have no use for what whole runs learned.
_LATE = 2 / 3


def features(order: int) -> int:
    """Parameters of a step with full history: order - 1 differences, and the affine ones."""
    return order - 1 + AFFINE


def allowed(steps: int, order: int) -> NDArray[np.bool_]:
    """(steps, features) bool: where a parameter means something. Differences need history."""
    mask = np.ones((steps, features(order)), dtype=bool)
    for i in range(min(steps, order - 1)):
        mask[i, i : order - 1] = False
    return mask


def late_start(parameters: Array, first: int) -> Array:
    """(steps - first, features) parameters of a run that starts with step `first` of a list, without history.

    Args:
        parameters: (steps, features) what a whole run adds to those of DPM++ 2M.
        first: 1 and above.

    Parameters that weigh outputs of before are 0; so are those that make up for the errors of the steps before, the
    affine ones, and, in the last third of a list, where DPM++ 2M does better, all but those of the step to 0
    (benchmarks/family/middle.py).
    """
    steps, width = parameters.shape
    late = parameters[first:] * allowed(steps - first, width + 1 - AFFINE)
    late[:, -AFFINE:] = 0.0
    late[:-1] *= first <= _LATE * steps
    return late


def dpmpp_2m_parameters(sigmas: Tensor, order: int) -> Array:
    """(steps, features) parameters whose coefficients are those of DPM++ 2M."""
    time = -np.log(sigmas[:-1].double().numpy())
    h = np.diff(time)
    theta = np.zeros((len(sigmas) - 1, features(order)))
    if order > 1:
        theta[1:-1, 0] = 0.5 * h[1:] / h[:-1]  # the last step, to 0, has none
    return theta


def coefficients_of(theta: Array, sigmas: Tensor) -> Tensor:
    """(steps, 1 + order) float32 coefficients of the parameters (steps, features)."""
    rows = [row_of(theta[i], float(sigmas[i]), float(sigmas[i + 1])) for i in range(len(theta))]
    return torch.from_numpy(np.stack(rows)).float()


def row_of(theta: Array, sigma: float, sigma_next: float) -> Array:
    """(1 + order,) coefficients of one step."""
    differences, (output, noise) = theta[:-AFFINE], theta[-AFFINE:]
    carry = sigma_next / sigma
    rest = 1.0 - carry
    noise = noise * min(sigma, 1.0) / sigma
    first = rest * (1.0 + differences.sum() + output - noise)
    return np.concatenate([[carry + rest * noise, first], -rest * differences])


def parameters_of(coefficients: Tensor, sigmas: Tensor) -> Array:
    """(steps, features) parameters of coefficients: the inverse of `coefficients_of`, within float32 rounding."""
    sigmas64, rows = sigmas.double().numpy(), coefficients.double().numpy()
    carry = sigmas64[1:] / sigmas64[:-1]
    rest = 1.0 - carry
    noise = (rows[:, 0] - carry) / rest
    differences = -rows[:, 2:] / rest[:, None]
    output = rows[:, 1] / rest - 1.0 - differences.sum(axis=1) + noise
    return np.column_stack([differences, output, noise * sigmas64[:-1] / np.minimum(sigmas64[:-1], 1.0)])
