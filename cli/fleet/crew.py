"""The engine `comfy`: one thread for each server takes jobs and sees them through, until none is left."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from .ledger import Ledger, digest_of
from .placement import PlacedJob
from .server import FitFailedError, LostServerError, ServerClient, StoppedError
from .table import FleetTable
from .waiting import WaitingJobs

# Seconds between two looks whether a lost server is back.
_LOOK_AGAIN = 2.0


class Crew:
    """The servers at work.

    Args:
        alone: seconds that jobs wait while no server answers at all.
    """

    def __init__(
        self, servers: Sequence[ServerClient], jobs: Sequence[PlacedJob], ledger: Ledger, alone: float
    ) -> None:
        self._servers, self._ledger, self._alone = servers, ledger, alone
        self._waiting = WaitingJobs(jobs)
        self._table = FleetTable(len(jobs), [server.address for server in servers])
        self._lost: set[str] = set()
        self._crash: BaseException | None = None

    def work(self) -> None:
        """Make every job.

        Raises:
            KeyboardInterrupt: passed on, once no fit of ours runs any more.
        """
        threads = [threading.Thread(target=self._guarded, args=(server,), daemon=True) for server in self._servers]
        for thread in threads:
            thread.start()
        try:
            self._watch()
        except KeyboardInterrupt:
            self._table.say("Interrupting the fits on the servers; their records stay")
            raise
        finally:
            self._waiting.stop()
            for thread in threads:
                thread.join()
            self._table.close()
        if self._crash is not None:
            raise self._crash

    def _watch(self) -> None:
        """Wait for the end; give up what is left where no server that could make it has answered for long."""
        since: dict[str, float] = {}
        while not self._waiting.is_done and self._crash is None:
            time.sleep(0.05)
            now = time.monotonic()
            since = {address: since.get(address, now) for address in self._lost.copy()}
            gone = {address for address, start in since.items() if now - start > self._alone}
            for job in self._waiting.give_up(gone) if gone else ():
                said = f"no server that could make it has answered for {self._alone:g} s"
                self._end(job, "", 0.0, f"{said}; before that: {job.problem}" if job.problem else said)

    def _guarded(self, server: ServerClient) -> None:
        try:
            self._serve(server)
        except BaseException as error:
            self._crash = error
        finally:
            server.cancel_all()

    def _serve(self, server: ServerClient) -> None:
        while (job := self._waiting.take(server.address)) is not None:
            start = time.monotonic()
            digest, prompt = job_digest(job), str(uuid.uuid4())
            self._ledger.begun(job.job, digest, server.address, prompt)
            self._table.begun(server.address, job.job.name)
            try:
                server.run(job.graphs[server.address], prompt, lambda: self._waiting.stopped)
                data = server.preset(job.job.name, lambda: self._waiting.stopped)
                self._ledger.done(job.job, digest, server.address, data, time.monotonic() - start)
            except LostServerError as error:
                self._lose(server, job, str(error))
                continue
            except StoppedError:
                self._ledger.stopped(job.job, digest, server.address)
                return
            except (FitFailedError, ValueError) as error:
                self._fail(server, job, str(error))
            else:
                self._end(job, server.address, time.monotonic() - start)
                self._waiting.finished(server.address)

    def _lose(self, server: ServerClient, job: PlacedJob, reason: str) -> None:
        """Give the job back, and wait until the server answers again or there is nothing left to do."""
        self._lost.add(server.address)
        if self._waiting.lost(server.address):
            self._table.back(server.address, reason)
        else:
            self._end(job, server.address, 0.0, f"two servers were lost while they made it, the second: {reason}")
        while not self._waiting.is_done:
            time.sleep(_LOOK_AGAIN)
            if server.answers():
                server.cancel_all()  # what it may still do of ours is made elsewhere
                self._lost.discard(server.address)
                return

    def _fail(self, server: ServerClient, job: PlacedJob, reason: str) -> None:
        """Give the job to another server, or up."""
        job.problem = f"{reason} (on {server.address})"
        if self._waiting.failed(server.address):
            self._table.back(server.address, f"{job.job.name}: failed on {server.address}: {reason}")
        else:
            self._end(job, server.address, 0.0, job.problem)

    def _end(self, job: PlacedJob, where: str, seconds: float, problem: str = "") -> None:
        if problem:
            self._ledger.fail(job.job, job_digest(job), where, problem)
        self._table.ended(where, job.job.name, seconds, problem)


def job_digest(job: PlacedJob) -> str:
    """Digest of all that a job's preset depends on."""
    graph: dict[str, Any] = json.loads(json.dumps(job.graph))
    for entry in graph.values():
        entry["inputs"].pop("refit", None)
    return digest_of(graph)


def cancel_left_behind(servers: Sequence[ServerClient], ledger: Ledger) -> None:
    """Stop what a killed run of this fleet has left on the servers; it is taken up from its records."""
    known = {server.address: server for server in servers}
    for address, prompt in ledger.left_behind():
        if address in known:
            known[address].cancel(prompt)
