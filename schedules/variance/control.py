"""The noise that a run is to have: the settings of the Variance node, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .clamp import DataSpread
from .eta_curves import Curve, check_window, constant


@dataclass(frozen=True)
class Churn:
    """Noise added before a step, which the step then removes.

    Args:
        amount: S_churn, 0 for none; divided by the number of steps.
        high, low: S_tmax and S_tmin, the sigmas between which it acts.
    Raises:
        ValueError: names the inputs.
    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2.
    """

    amount: float = 0.0
    high: float = math.inf
    low: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount >= 0.0):
            raise ValueError(f"s_churn must be 0 or more, got {self.amount:g}")
        if self.amount:
            check_window("s_tmin, s_tmax", self.low, self.high)

    def acts_at(self, sigma: float) -> bool:
        """Whether a step from this level is churned."""
        return self.amount > 0.0 and self.low <= sigma <= self.high


@dataclass(frozen=True)
class Restart:
    """Go back up and down again: when the run has come down to `low`, noise takes it to `high`, `times` times.

    Both ends move to the nearest noise levels of the run, so that the model is called at levels it would be anyway.

    Source: Xu et al. 2023, arXiv:2306.14878.
    """

    low: float
    high: float
    times: int = 1

    def nodes(self, sigmas: Sequence[float]) -> tuple[int, int]:
        """Positions of high and low in the run's list.

        Raises:
            ValueError: names `restarts` when no step of the run lies in the interval.
        """
        levels = range(sum(sigma > 0.0 for sigma in sigmas))
        first, last = (
            min(levels, key=lambda i: abs(math.log(sigmas[i] / end))) for end in (self.high, max(self.low, 1e-12))
        )
        if first >= last:
            raise ValueError(
                f"restarts: no step of this run lies between sigma {self.high:g} and {self.low:g}; "
                f"its levels go from {sigmas[0]:.4g} to {sigmas[levels[-1]]:.4g}. Make the interval wider"
            )
        return first, last


def parse_restarts(text: str) -> tuple[Restart, ...]:
    """Restart intervals from "0.3-1.1 x2, 2-5": sigmas and how often, once when not said.

    Raises:
        ValueError: names the input `restarts`.
    """
    restarts = []
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;\n]", text))):
        match = re.fullmatch(r"(\d*\.?\d+)\s*(?:-|to)\s*(\d*\.?\d+)(?:\s*[x*]\s*(\d+))?", part.lower())
        if match is None:
            raise ValueError(f"restarts: {part!r} is not understood; write an interval of sigmas such as 0.3-1.1 x2")
        low, high, times = float(match[1]), float(match[2]), int(match[3] or 1)
        check_window("restarts", low, high)
        if low == 0.0:
            raise ValueError("restarts: the lower sigma must be above 0: at 0 the run is over")
        if not 1 <= times <= 100:
            raise ValueError(f"restarts: {part!r} must run 1 to 100 times")
        restarts.append(Restart(low, high, times))
    return tuple(restarts)


UNIT_SPREAD = DataSpread()
NO_CHURN = Churn()


@dataclass(frozen=True)
class Control:
    """Settings of a variance-controlled run.

    Args:
        eta: of every step; None leaves it to the sampler.
        s_noise: factor of every noise.
        posterior: 0 lower bound of the posterior variance .. 1 upper bound; above 0 eta must be 1.
        clamp: strength with which every step's spread is held.
        spread: of finished latents: for the posterior and the clamp.
        churn, restarts: see there.
    Raises:
        ValueError: names the input.
    """

    eta: Curve | None = None
    s_noise: Curve = field(default_factory=lambda: constant(1.0, "s_noise"))
    posterior: float = 0.0
    clamp: Curve = field(default_factory=lambda: constant(0.0, "clamp"))
    spread: DataSpread = UNIT_SPREAD
    churn: Churn = NO_CHURN
    restarts: tuple[Restart, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.posterior <= 1.0:
            raise ValueError(f"posterior must be from 0 (lower bound) to 1 (upper bound), got {self.posterior:g}")
        if self.posterior and self.eta is not None and set(self.eta.values) != {1.0}:
            raise ValueError(
                "posterior: the variance between the bounds belongs to eta 1; set eta to 1, or posterior to 0"
            )

    @property
    def clamps(self) -> bool:
        return any(self.clamp.values)

    @property
    def needs_steps(self) -> bool:
        """Whether something must happen between the steps, or change from step to step, but the noise's factor."""
        varies = self.eta is not None and not self.eta.is_constant
        return varies or self.clamps or bool(self.restarts) or bool(self.churn.amount)
