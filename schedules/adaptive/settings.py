"""Settings of an adaptive run, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .controller import Gains

METHODS = ("predictive", "embedded_2", "embedded_3")
# Steps in t, about log sigma: a step of 4 is a factor of 55 in sigma.
MIN_STEP, MAX_STEP = 1e-3, 4.0
MAX_CALLS = 10_000


@dataclass(frozen=True)
class Settings:
    """Settings of sample_sigmasmith_adaptive; see there.

    Raises:
        ValueError: names the argument, its value and what is allowed.
    """

    calls: int | None
    rtol: float | None
    atol: float | None
    method: str
    min_step: float
    max_step: float
    flow: bool = False
    together: bool = False
    gains: Gains = field(default_factory=Gains)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if value is not None and not (_number(value) and value > 0.0):
                raise ValueError(f"{name} must be above 0, got {value}; leave it out to let calls decide")
        if self.calls is not None:
            whole = isinstance(self.calls, int) and not isinstance(self.calls, bool)
            if not whole or not 1 <= self.calls <= MAX_CALLS:
                raise ValueError(f"calls must be a whole number from 2 to {MAX_CALLS}, got {self.calls}")
        elif self.rtol is None and self.atol is None:
            raise ValueError("calls must be given where there is neither rtol nor atol")
        if not (_number(self.min_step) and _number(self.max_step) and 0.0 < self.min_step < self.max_step):
            raise ValueError(
                f"min_step and max_step must be above 0 and in this order, got {self.min_step} and {self.max_step}"
            )

    @property
    def has_tolerance(self) -> bool:
        return self.rtol is not None or self.atol is not None

    def tolerance(self, scale: Any) -> Any:
        """Allowed error of one step where the model output has the root mean square `scale`."""
        return (self.atol or 0.0) + (self.rtol or 0.0) * scale


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
