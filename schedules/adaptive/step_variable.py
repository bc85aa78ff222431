"""The variable in which steps are measured and model outputs are extrapolated.

With y = 1 / sigma on VE models and y = (1 - sigma) / sigma on flow models (the reciprocal of the VE sigma of the same
signal-to-noise ratio), every sampling ODE of a host is the quadrature

    d(x / sigma) = D d(1 / sigma) = D dy                                          (D is the model output, `denoised`)

and t = log(offset + y) is the variable in which D changes at a steady pace. On VE models t = -log sigma. On flow models
the offset keeps t finite at sigma = 1, where y = 0: below it t is linear in y, so that a first step from pure noise is
an ordinary one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..core.noise_space import Array

# On the bundled flow models and on mixtures D begins to change at y of 0.02 to 0.05 (VE sigma 50 to 20). Of 0.01, 0.02,
# 0.05 and 0.15 this had the smallest error at 10 to 40 calls.
FLOW_OFFSET = 0.02


@dataclass(frozen=True)
class StepVariable:
    """t of a sigma, and back.

    Args:
        flow: True for models with x = (1 - sigma) * x0 + sigma * noise.
    """

    flow: bool

    @property
    def offset(self) -> float:
        return FLOW_OFFSET if self.flow else 0.0

    def at(self, sigma: ArrayLike) -> Array:
        """t of noise levels > 0."""
        sigma = np.asarray(sigma, dtype=np.float64)
        y = (1.0 - sigma) / sigma if self.flow else 1.0 / sigma
        return np.log(self.offset + y)

    def sigma(self, t: ArrayLike) -> Array:
        """Inverse of `at`, rounded to what a float32 model is given."""
        y = np.maximum(np.exp(np.asarray(t, dtype=np.float64)) - self.offset, 0.0)
        exact = 1.0 / (1.0 + y) if self.flow else 1.0 / y
        return exact.astype(np.float32).astype(np.float64)

    def ve_sigma(self, t: ArrayLike) -> Array:
        """VE sigma with the signal-to-noise ratio at t; at most 1e6, for a flow sigma of 1 has none."""
        return 1.0 / np.maximum(np.exp(np.asarray(t, dtype=np.float64)) - self.offset, 1e-6)

    def share(self, t: ArrayLike) -> Array:
        """Derivative of log(1 / sigma) by t, 0..1: how much a step in t moves the state towards D."""
        t = np.asarray(t, dtype=np.float64)
        return np.exp(t) / (np.exp(t) - self.offset + (1.0 if self.flow else 0.0))
