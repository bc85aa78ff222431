"""How long the rest of a fit takes, from the first timed model calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

# The first call loads the model and warms up; it says nothing about the others.
WARM_UP, TIMED = 1, 3


@dataclass
class CallTimer:
    """Durations of model calls, per row.

    Args:
        rows: rows of the whole batch: one evaluation per sample is this many rows.
    """

    rows: int
    seconds: float = 0.0
    rows_timed: int = 0
    calls: int = 0
    told: bool = field(default=False)

    def timed(self, rows: int, call: Callable[[], Tensor]) -> Tensor:
        """The output of a model call on so many rows; its duration is booked."""
        start = time.perf_counter()
        denoised = call()
        if denoised.device.type != "cpu" and not self.ready:
            float(denoised.flatten()[0])  # waits for the device: a launched call has taken no time yet
        self.add(rows, time.perf_counter() - start)
        return denoised

    def add(self, rows: int, seconds: float) -> None:
        """Book a call."""
        self.calls += 1
        if self.calls > WARM_UP:
            self.seconds += seconds
            self.rows_timed += rows

    @property
    def ready(self) -> bool:
        """Whether enough calls were timed."""
        return self.calls >= WARM_UP + TIMED

    def seconds_left(self, done: float, total: float) -> float:
        """Seconds for `total - done` further evaluations per sample."""
        if not self.rows_timed:
            return 0.0
        return max(0.0, total - done) * self.rows * self.seconds / self.rows_timed

    def first_estimate(self, done: float, total: float) -> float | None:
        """As `seconds_left`, once: at the first question after enough calls were timed. None otherwise."""
        if self.told or not self.ready:
            return None
        self.told = True
        return self.seconds_left(done, total)
