"""The budget of a fit: model evaluations and, where asked, minutes. And how it reports and stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..core.types import Progress
from ..core.words import Phrase


class OutOfTimeError(Exception):
    """The minutes are used up. Caught by the fit, which returns the best so far."""


@dataclass
class Budget:
    """Counts model evaluations, one per batch row, and calls the progress function after each model call.

    Args:
        rows: B, the rows of the whole batch; evaluations per sample are rows evaluated / B.
        limit: evaluations per sample that the fit plans to stay under.
        minutes: wall-clock limit, or None.
        progress: callable(done, total, message) in evaluations per sample, rounded; raising from it cancels the fit.
        clock: seconds, replaced in tests.
        reserve: evaluations per sample that the search leaves for what comes after it.
        reserve_in_time: as many of those as must still fit into the minutes.
        afterwards: evaluations per sample that the caller makes once the fit is done, and that must fit in, too.
    """

    rows: int
    limit: float
    minutes: float | None = None
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic
    message: str = Phrase("reference")
    reserve: float = 0.0
    reserve_in_time: float = 0.0
    afterwards: float = 0.0
    rows_evaluated: int = 0
    rows_planned: int = 0
    _rows_here: int = field(init=False, default=0)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def nfe(self) -> float:
        """Model evaluations per sample so far, those of an interrupted fit's records included."""
        return self.rows_evaluated / self.rows

    @property
    def spent(self) -> float:
        """As `nfe`, without those that an interruption made necessary twice: what the fit's decisions go by."""
        return self.rows_planned / self.rows

    @property
    def left(self) -> float:
        """Evaluations per sample until the limit; never negative."""
        return max(0.0, self.limit - self.spent)

    def before_call(self) -> None:
        """Raise OutOfTimeError once the minutes, less the time that the reserve takes, are used up."""
        if self.minutes is None or self.rows_planned == 0:
            return
        later = self.reserve_in_time + self.afterwards
        if self.seconds * (1.0 + later / self.spent) > 60.0 * self.minutes:
            raise OutOfTimeError

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the fit began."""
        return self.clock() - self._started

    @property
    def seconds_a_row(self) -> float:
        """Wall-clock seconds of a model call for one row, all that comes between included; 0 before the first."""
        return self.seconds / self._rows_here if self._rows_here else 0.0

    def count(self, rows: int, *, planned: bool = True, recalled: bool = False) -> None:
        """Book one model call of `rows` rows; not `planned` where only an interruption made it necessary, `recalled`
        where its records answered it."""
        self.rows_evaluated += rows
        self._rows_here += 0 if recalled else rows
        self.rows_planned += rows if planned else 0
        if self.progress is not None:
            self.progress(round(self.spent), max(round(self.limit), round(self.spent)), self.message)
