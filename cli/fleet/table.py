"""The progress of a fleet, as one table that is drawn anew, or as lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from ...schedules.core.words import duration

_NARROWEST = 20


class FleetTable:
    """How many jobs are done, running, failed and left, what each server does, and how long the rest takes.

    Drawn by tqdm (the extra `cli`) on a terminal; elsewhere one line for each job that ends.

    Args:
        places: addresses of the servers; none where the engine places the jobs itself, and a job is where it is.
    """

    def __init__(self, total: int, places: Sequence[str]) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self._running: dict[str, str] = {}
        self._seconds: list[float] = []
        self._drawing = threading.RLock()
        self._start = time.monotonic()
        self._bars: dict[str, Any] = {}
        self._bar: Any = None
        if sys.stderr.isatty():
            self._open_bars(places)

    def begun(self, where: str, name: str) -> None:
        """A job runs."""
        with self._drawing:
            self._running[where] = name
            self._draw(where, name)

    def ended(self, where: str, name: str, seconds: float, problem: str = "") -> None:
        """A job is done, or has failed."""
        with self._drawing:
            self._running.pop(where, None)
            self.failed += bool(problem)
            self.done += not problem
            if not problem:
                self._seconds.append(seconds)
            self._draw(where, "")
            place = f" on {where}" if where != name else ""
            self.say(f"{name}: failed: {problem}" if problem else f"{name}: done in {duration(seconds)}{place}")

    def back(self, where: str, reason: str) -> None:
        """A job has ended nowhere: its server is lost, or could not make it."""
        with self._drawing:
            self._running.pop(where, None)
            self._draw(where, "")
            self.say(f"{reason}; the job goes to another server")

    def say(self, text: str) -> None:
        """A line above the table, or in the log with the table's first line."""
        with self._drawing:
            if self._bar is None:
                print(f"{text} [{self.summary()}]", flush=True)
            else:
                self._bar.write(text, file=sys.stdout)

    def summary(self) -> str:
        """ "37 done, 4 running, 1 failed, 58 left, 12 minutes to go"."""
        running = len(self._running)
        left = self.total - self.done - self.failed - running
        words = f"{self.done} done, {running} running, {self.failed} failed, {left} left"
        if self._seconds and running + left:
            # Ends per second so far: waits, slow servers and loading are all in it.
            spent = time.monotonic() - self._start
            words += f", {duration((left + 0.5 * running) * spent / len(self._seconds))} to go"
        return words

    def close(self) -> None:
        for bar in [*self._bars.values(), self._bar]:
            if bar is not None:
                bar.close()

    def _open_bars(self, places: Sequence[str]) -> None:
        try:
            from tqdm import tqdm
        except ImportError:
            return
        line = {"bar_format": "{desc}", "leave": False}
        self._bar = tqdm(total=self.total, desc=self.summary(), bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}")
        width = max([_NARROWEST, *map(len, places)])
        self._bars = {
            place: tqdm(desc=f"  {place:<{width}}  ", position=n, **line) for n, place in enumerate(places, 1)
        }
        self._width = width

    def _draw(self, where: str, what: str) -> None:
        if self._bar is not None:
            self._bar.set_description_str(self.summary(), refresh=False)
            self._bar.n = self.done + self.failed
            self._bar.refresh()
        if where in self._bars:
            self._bars[where].set_description_str(f"  {where:<{self._width}}  {what}")
