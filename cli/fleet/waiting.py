"""Which job a server takes next: those of its loaded model first, and none is lost with a server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from .placement import PlacedJob

# A fit that this many servers were lost with is not given to a further one: it may be what ends them.
MOST_LOST = 2


class WaitingJobs:
    """The jobs that wait, and those that run. Called from one thread for each server."""

    def __init__(self, jobs: Sequence[PlacedJob]) -> None:
        self._waiting = list(jobs)
        self._running: dict[str, PlacedJob] = {}
        self._group: dict[str, str] = {}
        self._lost: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stopped = False

    def take(self, address: str) -> PlacedJob | None:
        """The next job for a server, once there is one; None when nothing is left, or all is to stop."""
        with self._changed:
            while not self._stopped and (self._waiting or self._running):
                if (job := self._best(address)) is not None:
                    self._waiting.remove(job)
                    self._running[address], self._group[address] = job, job.group
                    return job
                self._changed.wait(1.0)
            return None

    def finished(self, address: str) -> None:
        """The server's job has ended, well or not."""
        with self._changed:
            self._running.pop(address, None)
            self._changed.notify_all()

    def lost(self, address: str) -> bool:
        """The server is lost: its job waits again, before all others; False where that job is given up."""
        with self._changed:
            job = self._running.pop(address)
            self._group.pop(address, None)
            self._lost[job.job.name] += 1
            again = self._lost[job.job.name] < MOST_LOST
            if again:
                self._waiting.insert(0, job)
            self._changed.notify_all()
            return again

    def stop(self) -> None:
        """Give out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        return self._stopped

    @property
    def is_done(self) -> bool:
        """Whether nothing waits and nothing runs, or all is to stop."""
        with self._changed:
            return self._stopped or not (self._waiting or self._running)

    def give_up(self, gone: set[str]) -> list[PlacedJob]:
        """Take out the jobs that none but these servers could make."""
        with self._changed:
            left = [job for job in self._waiting if job.graphs.keys() <= gone]
            self._waiting = [job for job in self._waiting if job not in left]
            self._changed.notify_all()
            return left

    def _best(self, address: str) -> PlacedJob | None:
        """Of the server's own group, else of one that no other server has, the largest; else a share of one's."""
        able = [job for job in self._waiting if address in job.graphs]
        if not able:
            return None
        # A fit that was lost with its server has waited longest, and its records are fresh.
        if self._lost[able[0].job.name]:
            return able[0]
        sizes = Counter(job.group for job in able)
        taken = {group for other, group in self._group.items() if other != address}
        own = self._group.get(address)

        def rank(job: PlacedJob) -> tuple[bool, bool, int]:
            return job.group != own, job.group in taken, -sizes[job.group]

        return min(able, key=rank)
