"""A progress bar on stderr with the time that remains."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_BAR = 24
# A terminal is redrawn at most this often, a log file gets a line at most this often; seconds.
_REDRAW = 0.1
_LOG_LINE = 15.0


class ProgressBar:
    """Draws done / total; callable as a fit's `progress`.

    Args:
        label: what is being done, at the left of the bar.
        stream: default: stderr. Where it is no terminal a plain line is written now and then.
        clock: seconds, replaced in tests.
    """

    def __init__(
        self, label: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._started = self._drawn = clock()
        self._width = 0

    def __call__(self, done: int, total: int, message: str = "") -> None:
        now = self._clock()
        if now - self._drawn < (_REDRAW if self._terminal else _LOG_LINE):
            return
        self._drawn = now
        share = min(done / total, 1.0) if total > 0 else 1.0
        remaining = (now - self._started) * (1.0 - share) / share if share > 0 else None
        left = "" if remaining is None else f", {duration(remaining)} left"
        filled = round(_BAR * share)
        bar = "#" * filled + "." * (_BAR - filled)
        about = f"  {message}" if message else ""
        self._write(f"{self._label}  [{bar}] {100 * share:3.0f} %{left}{about}")

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def _write(self, line: str) -> None:
        if self._terminal:
            line = line[:118]
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


@contextmanager
def progress_bar(label: str) -> Iterator[ProgressBar]:
    """A bar that leaves the terminal again, however the work ends."""
    bar = ProgressBar(label)
    try:
        yield bar
    finally:
        bar.close()


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
