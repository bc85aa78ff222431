"""A PID controller of step sizes with one state per row.

With e_0, e_1, e_2 = error / tolerance of this step and of the two accepted before it, the next step is this one times

    safety * e_0**(-(P + I + D) / k) * e_1**((P + 2 D) / k) * e_2**(-D / k)

where the error is of order h**k. P = D = 0 is the elementary controller; its I is 1 in most codes.

Source: Soederlind 2003, "Digital filters in adaptive time-stepping", ACM TOMS 29; Hairer and Wanner 1996, IV.2.
Differs: a rejected step is followed by a shorter one in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.noise_space import Array

# Errors below this share of the tolerance count as this share: an exact step says nothing about the next.
_FLOOR = 1e-6


@dataclass(frozen=True)
class Gains:
    """Settings of the controller.

    Args:
        proportional, integral, derivative: P, I and D above.
        safety: 0..1.
        shortest, longest: limits of the factor, 0 < shortest < 1 < longest.
    """

    proportional: float = 0.3
    integral: float = 0.4
    derivative: float = 0.0
    safety: float = 0.9
    shortest: float = 0.3
    longest: float = 2.0


@dataclass
class PIDController:
    """Step-size factors for `rows` rows; errors of accepted steps are remembered."""

    rows: int
    gains: Gains = field(default_factory=Gains)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as after a change of the conditioning."""
        self._before = np.ones((2, self.rows))

    def factors(self, ratio: Array, order: Array, accepted: NDArray[np.bool_]) -> Array:
        """(B,) factors of the step sizes.

        Args:
            ratio: (B,) error / tolerance of the step, 0 .. inf.
            order: (B,) k of the error h**k.
            accepted: (B,) whether the step is kept.
        """
        gains = self.gains
        p, i, d = gains.proportional, gains.integral, gains.derivative
        ratio = np.maximum(ratio, _FLOOR)
        one, two = self._before
        exponents = -(p + i + d) / order, (p + 2.0 * d) / order, -d / order
        factor = gains.safety * ratio ** exponents[0] * one ** exponents[1] * two ** exponents[2]
        factor = np.where(accepted, factor, np.minimum(factor, gains.safety))
        self._before = np.where(accepted, np.stack([ratio, one]), self._before)
        return np.clip(factor, gains.shortest, gains.longest)
