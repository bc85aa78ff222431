"""A number that changes over the noise levels of a run: eta, the noise factor s_noise, the strength of a clamp.

As text, which is what the nodes take:

    0.5                           the same everywhere
    cosine 1 to 0                 from the first noise level to the last, along half a cosine
    linear 1 to 0                 likewise, along a line
    window 1 from 5 to 0.3        1 where 5 >= sigma >= 0.3, else 0 (s_noise: else 1); `else 0.2` may follow
    list 1, 0.8, 0.5, 0           one value per step

Anneals are even in log-SNR, so they are functions of sigma: another step count follows the same curve.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.noise_space import log_snr

Kind = Literal["constant", "cosine", "linear", "window", "list"]

# A flow model starts at log-SNR -inf; without a cut the first step alone would be half of every anneal.
FLOW_CUT = 0.99
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_FORMS = "a number, `cosine 1 to 0`, `linear 1 to 0`, `window 1 from 5 to 0.3` (sigmas), or `list 1, 0.5, 0`"


@dataclass(frozen=True)
class Curve:
    """A value per noise level.

    Args:
        kind: how `values` are read.
        values: constant (v,); cosine and linear (first, last); window (inside, outside); list one per step.
        high, low: ends of a window, in the model's own sigmas, both included.
        name: the input it came from, for messages.
    """

    kind: Kind
    values: tuple[float, ...]
    high: float = math.inf
    low: float = 0.0
    name: str = "curve"

    @property
    def is_constant(self) -> bool:
        """Whether every step has the same value, whatever the sigmas."""
        return len(set(self.values)) == 1

    def at_steps(self, sigmas: Sequence[float], *, flow: bool) -> list[float]:
        """The value of every step, taken at the level where it starts.

        Args:
            sigmas: (steps + 1,) decreasing.
            flow: whether they are those of a flow model.
        Returns:
            `steps` values.
        Raises:
            ValueError: a list of another length than the run has steps; it names the input.
        """
        starts = list(sigmas[:-1])
        match self.kind:
            case "constant":
                return [self.values[0]] * len(starts)
            case "list":
                return self._listed(len(starts))
            case "window":
                inside, outside = self.values
                return [inside if self.low <= sigma <= self.high else outside for sigma in starts]
            case "cosine" | "linear":
                first, last = self.values
                return [first + (last - first) * self._share(part) for part in _positions(sigmas, flow)]

    def _share(self, part: float) -> float:
        return 0.5 - 0.5 * math.cos(math.pi * part) if self.kind == "cosine" else part

    def _listed(self, steps: int) -> list[float]:
        # The last step adds no noise, so people leave its value out.
        if len(self.values) not in (steps, steps - 1):
            raise ValueError(
                f"{self.name} lists {len(self.values)} values and the run has {steps} steps; give one per step"
            )
        return [*self.values, self.values[-1]][:steps]


def _positions(sigmas: Sequence[float], flow: bool) -> list[float]:
    """Where each step starts, 0 at the first level and 1 at the last positive one, even in log-SNR."""
    levels = np.asarray([sigma for sigma in sigmas if sigma > 0.0], dtype=np.float64)
    snr = log_snr(np.minimum(levels, FLOW_CUT) if flow else levels, flow=flow)
    span = snr[-1] - snr[0]
    return [float((value - snr[0]) / span) if span > 0.0 else 0.0 for value in snr[: len(sigmas) - 1]]


def constant(value: float, name: str = "curve") -> Curve:
    """The same value everywhere."""
    return Curve("constant", (float(value),), name=name)


def parse_curve(text: str | float, name: str, *, low: float = 0.0, high: float = 1.0, outside: float = 0.0) -> Curve:
    """A curve from its text.

    Args:
        name: of the input, for messages.
        low, high: the range that its values may have.
        outside: of a window that names no other value.
    Raises:
        ValueError: names the input and says what it may be.
    """
    words = str(text).strip().lower()
    number = f"({_NUMBER})"
    if match := re.fullmatch(number, words):
        curve = constant(float(match[1]), name)
    elif match := re.fullmatch(rf"(cosine|linear)\s+{number}\s+to\s+{number}", words):
        kind: Kind = "cosine" if match[1] == "cosine" else "linear"
        curve = Curve(kind, (float(match[2]), float(match[3])), name=name)
    elif match := re.fullmatch(rf"window\s+{number}\s+from\s+{number}\s+to\s+{number}(?:\s+else\s+{number})?", words):
        inside, first, last = (float(match[i]) for i in (1, 2, 3))
        check_window(name, last, first)
        curve = Curve("window", (inside, outside if match[4] is None else float(match[4])), first, last, name)
    elif words.startswith("list") and (numbers := _numbers(words[4:])):
        curve = Curve("list", numbers, name=name)
    else:
        raise ValueError(f"{name}: {text!r} is not understood; it can be {_FORMS}")
    for value in curve.values:
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low:g} to {high:g} everywhere, got {value:g}")
    return curve


def check_window(name: str, low: float, high: float) -> None:
    """Raise where a window of sigmas is upside down or has no width; it names the input."""
    if not (math.isfinite(low) and low >= 0.0):
        raise ValueError(f"{name}: the window's lower sigma must be 0 or more, got {low:g}")
    if not high > low:
        raise ValueError(
            f"{name}: the window is upside down: its upper sigma {high:g} must lie above its lower one, {low:g}"
        )


def _numbers(text: str) -> tuple[float, ...]:
    parts = [part for part in re.split(r"[,;\s]+", text.strip(" :")) if part]
    return tuple(float(part) for part in parts) if all(re.fullmatch(_NUMBER, part) for part in parts) else ()
