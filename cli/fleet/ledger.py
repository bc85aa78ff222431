"""The record of a fleet: the presets, a log that the next run reads, and a file of what failed."""

from __future__ import annotations

import hashlib
import json
import shlex
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...schedules.fitting.record_file import HeldFile
from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import from_bytes, load_preset, replace_file
from ...schedules.presets.folder import free_path
from .jobs import Job

LOG, FAILED, LOCK = "fleet.jsonl", "failed.json", ".fleet.lock"


class Ledger:
    """The folder that a fleet fills, held by one fleet at a time.

    Args:
        command: that runs the fleet again, for the file of failed jobs.
        names: of all jobs of its file, also those that this run leaves out.
    Attributes:
        failed: names of the jobs that failed in this run.
    Raises:
        ValueError: the folder cannot be written, or another fleet fills it.
    """

    def __init__(self, folder: Path, command: str, names: Collection[str]) -> None:
        self.folder, self._command, self._names = folder, command, names
        self._changing = threading.Lock()
        self._start = time.monotonic()
        self.failed: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / LOCK).touch()
            self._events = _events(folder / LOG)
        except OSError as error:
            raise ValueError(f"--out {folder} cannot be written: {error.strerror}") from error
        held = HeldFile.take(folder / LOCK)
        if held is None:
            raise ValueError(f"--out {folder} is being filled by another fleet")
        self._held = held

    @property
    def seconds(self) -> float:
        """Since the folder was taken."""
        return time.monotonic() - self._start

    def close(self) -> None:
        """Write the file of failed jobs, those of earlier runs with it, and let go of the folder."""
        path = self.folder / FAILED
        entries = [
            {"job": name, "reason": event["reason"], "again": f"{self._command} --only {shlex.quote(name)}"}
            for name, event in self._events.items()
            if event["event"] == "failed" and name in self._names
        ]
        if entries:
            replace_file(path, (json.dumps(entries, indent=1, ensure_ascii=False) + "\n").encode())
        else:
            path.unlink(missing_ok=True)
        self._held.close()

    def is_done(self, job: Job, digest: str) -> bool:
        """Whether the job's preset lies in the folder.

        Raises:
            ValueError: another preset lies there under its name.
        """
        path = free_path(self.folder, job.name)
        if not path.exists():
            return False
        last = self._events.get(job.name, {})
        made = last.get("digest")
        if made != digest:
            how = "which was put there" if made is None else "made from another job, or from this one as it was before"
            raise ValueError(
                f"{job.label}: {self.folder} holds a preset of this name, {how}; give another name, move it away, or "
                "say --refit"
            )
        try:
            load_preset(path)
        except PresetError:
            return False
        return last["event"] != "failed"  # to make it anew had been asked for

    def left_behind(self) -> Iterable[tuple[str, str]]:
        """(server, prompt) of each fit that an earlier run did not see the end of."""
        return [(e["where"], e["prompt"]) for e in self._events.values() if e["event"] == "begun" and "prompt" in e]

    def begun(self, job: Job, digest: str, where: str, prompt: str | None = None) -> None:
        """The job runs somewhere."""
        self._write(job, event="begun", digest=digest, where=where, **({"prompt": prompt} if prompt else {}))

    def done(self, job: Job, digest: str, where: str, data: bytes, seconds: float) -> None:
        """Keep the preset of a job.

        Raises:
            ValueError: it is not this job's, or cannot be written.
        """
        preset = from_bytes(data)
        for name, value in (("name", preset.name), ("effort", preset.effort)):
            if value != job.given.get(name, value):
                raise ValueError(f"the server's preset of that name has {name} {value!r}; --refit makes it anew")
        try:
            replace_file(free_path(self.folder, job.name), data)
        except OSError as error:
            raise ValueError(f"the preset cannot be written: {error.strerror}") from error
        self._write(job, event="done", digest=digest, where=where, seconds=round(seconds, 1))

    def fail(self, job: Job, digest: str, where: str, reason: str) -> None:
        """The job has failed, for a reason in words."""
        self.failed.add(job.name)
        self._write(job, event="failed", digest=digest, where=where, reason=reason)

    def stopped(self, job: Job, digest: str, where: str) -> None:
        """The job was interrupted where it ran, and is left."""
        self._write(job, event="stopped", digest=digest, where=where)

    def _write(self, job: Job, **facts: Any) -> None:
        self._events[job.name] = facts
        line = {"job": job.name, "time": time.strftime("%Y-%m-%dT%H:%M:%S"), **facts}
        with self._changing, open(self.folder / LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(line, ensure_ascii=False) + "\n")


def digest_of(facts: Any) -> str:
    """Digest of all that a job's preset depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _events(path: Path) -> dict[str, Mapping[str, Any]]:
    """Name of a job -> the last line about it; a line that a killed run left half written counts for nothing."""
    events: dict[str, Mapping[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
                events[str(event["job"])] = event | {"event": event["event"], "reason": event.get("reason", "")}
            except (ValueError, KeyError, TypeError):
                continue
    return events
