"""How fits over many machines scale: the fleet's own queue on simulated workers that share one store of checkpoints.

python -P -m sigmasmith.benchmarks fleet

6,000 fits of 5 minutes each on average (a lognormal spread of 0.3), on 300 checkpoints of 6.5 GB, at 100, 300 and 1,000
workers. A worker that needs another checkpoint fetches it from the store, whose 10 Gbit/s are shared by all that fetch;
a line to a worker carries no more than that either. Efficiency is the time spent in fits over the workers' time until
the last one has ended. Nothing here is measured on machines but the order in which the queue hands out the jobs.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...cli.fleet.jobs import Job
from ...cli.fleet.placement import PlacedJob
from ...cli.fleet.waiting import WaitingJobs
from . import study_parser

WORKERS = (100, 300, 1_000)
FITS, CHECKPOINTS = 6_000, 300
GIGABYTES, STORE, DISK = 6.5, 10.0 / 8.0, 3.0  # of a checkpoint; GB/s of the store, and of a worker's own disk
LORA_GIGABYTES = 0.2
SECONDS, SPREAD = 300.0, 0.3
# What the first simulation had, before there was a queue: efficiency in % at WORKERS.
FIRST = {"by checkpoint": (95, 76, 32), "in any order": (63, 21, 6)}

# A worker asks for its next job; a worker says that its job is done.
Take = Callable[[int], PlacedJob | None]
Done = Callable[[int], None]


@dataclass(frozen=True)
class FleetCase:
    """A fleet and its work, to simulate.

    Args:
        checkpoints: that the fits are of.
        grouped: whether the fleet's queue hands out the jobs, or a list in any order.
        cached: whether workers keep on their own disk what they have fetched; "all": they hold everything already.
        loras: whether each fit also fetches a LoRA.
        seconds: of a fit.
        gate: workers that fetch at a time, all others that would have to wait without a job; 0: any number.
    """

    name: str
    checkpoints: int = CHECKPOINTS
    grouped: bool = True
    cached: str = ""
    loras: bool = False
    seconds: float = SECONDS
    gate: int = 0


CASES = (
    FleetCase("by checkpoint"),
    FleetCase("in any order", grouped=False),
    FleetCase("in any order, own disks keep what they fetched", grouped=False, cached="fetched"),
    FleetCase("in any order, own disks hold everything", grouped=False, cached="all"),
    FleetCase("by checkpoint, own disks hold everything", cached="all"),
    FleetCase("by checkpoint, at most 16 fetch (not built)", gate=16),
    FleetCase("by checkpoint, 10 checkpoints with LoRAs", checkpoints=10, loras=True),
    FleetCase("in any order, 10 checkpoints with LoRAs", checkpoints=10, grouped=False, loras=True),
    FleetCase("by checkpoint, fits of 1 minute", seconds=60.0),
    FleetCase("by checkpoint, fits of 30 minutes", seconds=1_800.0),
)


@dataclass
class SharedStore:
    """A store whose bandwidth all fetches share evenly.

    Every fetch gets the same at any moment, so one number tells how far all have come: the bytes that a fetch that was
    there from the start would have by now. A fetch ends when this has grown by its size.
    """

    bandwidth: float = STORE
    now: float = 0.0
    served: float = 0.0
    _ends: list[tuple[float, int]] = field(default_factory=list)

    def fetch(self, now: float, worker: int, gigabytes: float) -> None:
        self._advance(now)
        heapq.heappush(self._ends, (self.served + gigabytes, worker))

    def next_end(self) -> float | None:
        """When the first of the fetches ends, if no other begins."""
        if not self._ends:
            return None
        return self.now + (self._ends[0][0] - self.served) * len(self._ends) / self.bandwidth

    def pop(self, now: float) -> int:
        """The worker whose fetch ends now."""
        self._advance(now)
        return heapq.heappop(self._ends)[1]

    def __len__(self) -> int:
        return len(self._ends)

    def _advance(self, now: float) -> None:
        if self._ends:
            self.served += (now - self.now) * self.bandwidth / len(self._ends)
        self.now = now


@dataclass
class SimulatedWorker:
    """A worker: the model that it has loaded, what lies on its own disk, and the seconds that its job takes."""

    loaded: str = ""
    disk: set[str] = field(default_factory=set)
    seconds: float = 0.0


class SimulatedFleet:
    """Workers that fetch and fit until no job is left.

    Args:
        lengths: seconds of each job's fit, by its name.
    """

    def __init__(self, case: FleetCase, workers: int, jobs: Sequence[PlacedJob], lengths: Mapping[str, float]) -> None:
        self._case, self._lengths = case, lengths
        self._take, self._done = _queue(jobs, workers) if case.grouped else _list(jobs)
        self._team = [SimulatedWorker() for _ in range(workers)]
        self._idle = set(range(workers))
        self._store, self._now = SharedStore(), 0.0
        self._ends: list[tuple[float, int]] = []

    def seconds(self) -> float:
        """When the last fit has ended."""
        self._begin_all()
        while self._ends or len(self._store):
            fetched = self._store.next_end()
            if fetched is not None and (not self._ends or fetched <= self._ends[0][0]):
                self._now = fetched
                self._fit(self._store.pop(fetched))
            else:
                self._now, number = heapq.heappop(self._ends)
                self._done(number)
                self._idle.add(number)
            self._begin_all()
        return self._now

    def _begin_all(self) -> None:
        """Give jobs to all that have none; those with a model loaded first, which need no place at the gate."""
        for number in sorted(self._idle, key=lambda number: (not self._team[number].loaded, number)):
            shut = self._case.gate and len(self._store) >= self._case.gate
            if (shut and not self._team[number].loaded) or (job := self._take(number)) is None:
                break
            self._idle.remove(number)
            self._begin(number, job)

    def _begin(self, number: int, job: PlacedJob) -> None:
        """Fetch what the worker lacks for a job, or fit at once."""
        worker, case = self._team[number], self._case
        changes, worker.loaded = worker.loaded != job.group, job.group
        has = case.cached == "all" or job.group in worker.disk
        if case.cached:
            worker.disk.add(job.group)
        worker.seconds = self._lengths[job.job.name] + (GIGABYTES / DISK if changes and has else 0.0)
        needed = (GIGABYTES if changes and not has else 0.0) + (LORA_GIGABYTES if case.loras else 0.0)
        if needed:
            self._store.fetch(self._now, number, needed)
        else:
            self._fit(number)

    def _fit(self, number: int) -> None:
        heapq.heappush(self._ends, (self._now + self._team[number].seconds, number))


def efficiency(case: FleetCase, workers: int, fits: int = FITS, seed: int = 0) -> float:
    """Share of the workers' time that is spent in fits."""
    draw = random.Random(seed)
    jobs = [PlacedJob(Job(str(n), {}), {}, str(n % case.checkpoints)) for n in range(fits)]
    draw.shuffle(jobs)
    lengths = {job.job.name: case.seconds * draw.lognormvariate(-(SPREAD**2) / 2, SPREAD) for job in jobs}
    return sum(lengths.values()) / (workers * SimulatedFleet(case, workers, jobs, lengths).seconds())


def _queue(jobs: Sequence[PlacedJob], workers: int) -> tuple[Take, Done]:
    """The fleet's queue."""
    everywhere: dict[str, Any] = {str(number): {} for number in range(workers)}
    for job in jobs:
        job.graphs = everywhere
    waiting = WaitingJobs(jobs)

    return lambda number: waiting.take_now(str(number)), lambda number: waiting.finished(str(number))


def _list(jobs: Sequence[PlacedJob]) -> tuple[Take, Done]:
    """The jobs one after another."""
    left = iter(jobs)
    return lambda number: next(left, None), lambda number: None


def lines(cases: Sequence[FleetCase] = CASES, workers: Sequence[int] = WORKERS, fits: int = FITS) -> list[str]:
    """The table: a row for each case, a column for each number of workers."""
    said = [f"{'efficiency in % at workers':<50}" + "".join(f"{count:>8,}" for count in workers)]
    for case in cases:
        shares = [100.0 * efficiency(case, count, fits) for count in workers]
        said.append(f"{case.name:<50}" + "".join(f"{share:>8.0f}" for share in shares))
    for name, shares in FIRST.items():
        said.append(f"{'first simulation, ' + name:<50}" + "".join(f"{share:>8}" for share in shares))
    return said


def main(argv: Sequence[str] | None = None) -> int:
    study_parser("fleet", __doc__).parse_args(argv)
    for line in lines():
        print(line, flush=True)
    return 0
