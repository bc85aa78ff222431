"""Which job a server takes next: those of its loaded model first, and none is lost with a server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from .placement import PlacedJob

# A fit that this many servers were lost with is not given to a further one: it may be what ends them.
MOST_LOST = 2
# One that failed on this many is not tried on a further one. One alone may be full, or may have lost its disk.
MOST_FAILED = 2


class WaitingJobs:
    """The jobs that wait, and those that run. Called from one thread for each server."""

    def __init__(self, jobs: Sequence[PlacedJob]) -> None:
        # Those that were lost with a server go before all others: their records are fresh.
        self._urgent: list[PlacedJob] = []
        self._groups: dict[str, list[PlacedJob]] = {}
        for job in jobs:
            self._groups.setdefault(job.group, []).append(job)
        self._running: dict[str, PlacedJob] = {}
        self._loaded: dict[str, str] = {}
        self._lost: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stopped = False

    def take(self, address: str) -> PlacedJob | None:
        """The next job for a server, once there is one; None when nothing is left, or all is to stop."""
        with self._changed:
            while not self.is_done:
                if (job := self.take_now(address)) is not None:
                    return job
                self._changed.wait(1.0)
            return None

    def take_now(self, address: str) -> PlacedJob | None:
        """The next job for a server, None where none that it could make waits."""
        with self._changed:
            for jobs in [self._urgent, *self._groups_for(address)]:
                job = next((job for job in jobs if address in job.graphs), None)
                if job is not None:
                    jobs.remove(job)
                    self._running[address], self._loaded[address] = job, job.group
                    if not self._groups.get(job.group, [job]):
                        del self._groups[job.group]
                    return job
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
            self._loaded.pop(address, None)
            self._lost[job.job.name] += 1
            again = self._lost[job.job.name] < MOST_LOST
            if again:
                self._urgent.append(job)
            self._changed.notify_all()
            return again

    def failed(self, address: str) -> bool:
        """The server's job has failed there: another server may try it; False where none may, or one has already."""
        with self._changed:
            job = self._running.pop(address)
            del job.graphs[address]
            self._failed[job.job.name] += 1
            again = bool(job.graphs) and self._failed[job.job.name] < MOST_FAILED
            if again:
                self._urgent.append(job)
            self._changed.notify_all()
            return again

    def give_up(self, gone: set[str]) -> list[PlacedJob]:
        """Take out the jobs that none but these servers could make."""
        with self._changed:
            left: list[PlacedJob] = []
            for jobs in [self._urgent, *self._groups.values()]:
                left += [job for job in jobs if job.graphs.keys() <= gone]
                jobs[:] = [job for job in jobs if not job.graphs.keys() <= gone]
            self._groups = {group: jobs for group, jobs in self._groups.items() if jobs}
            self._changed.notify_all()
            return left

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
            return self._stopped or not (self._urgent or self._groups or self._running)

    def _groups_for(self, address: str) -> list[list[PlacedJob]]:
        """The groups in the order in which a server looks through them.

        Its own, then the largest that no other server has loaded, then the largest: to load a model once more costs
        less than a server that has nothing to do.
        """
        own = self._loaded.get(address)
        taken = {group for other, group in self._loaded.items() if other != address}
        order = sorted(self._groups, key=lambda group: (group != own, group in taken, -len(self._groups[group])))
        return [self._groups[group] for group in order]
