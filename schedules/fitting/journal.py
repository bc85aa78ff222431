"""Records of an unfinished fit, so that an interrupted one goes on where it stopped.

A fit decides everything from the results of its runs, and those are deterministic: the same fit started again asks for
the same runs in the same order, and those on record are answered without a model call. One file per finished run; of
the run in progress one per model call, where calls are slow enough to be worth it.

A folder holds sets of records. A set belongs to one identity (all that is known to change the results) and to one
answer of the model to a probe, which its head keeps, and is in the hands of one process at a time. A fit goes on with
the set that is its own and free, or begins a new one: so two fits in one folder do not meet, and what another model
has left behind is neither believed nor lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ..core.words import in_bytes
from .record_file import PART, HeldFile, parse_record, record_bytes, replace_in_one_piece
from .record_folder import HEAD, MAX_BYTES, RECORD, free_set, listed, new_set, reason, remove, size

# A model call faster than this is cheaper to repeat than to write down.
_SLOW_CALL_SECONDS = 0.5

Warn = Callable[[str], None]


class Journal:
    """One set of records, opened. Nothing that goes wrong with it stops a fit: it is told once, and the fit goes on.

    Args:
        head: the held file of the set, or None where nothing can be written or held.
        most_bytes: that the set may take.
        warn: told what goes wrong, in a sentence.
    Attributes:
        calls: whether calls of a run in progress are recorded; not where what a model answers depends on calls before.
    """

    def __init__(self, folder: Path, identity: str, head: HeldFile | None, most_bytes: int, warn: Warn) -> None:
        self.folder = folder
        self._head, self._warn, self._most_bytes = head, warn, most_bytes
        self._set = "" if head is None else head.path.name.removesuffix(HEAD)
        self._identity = hashlib.sha256(identity.encode()).hexdigest()
        self._writes = head is not None
        self._calls: dict[str, set[int]] = {}  # run in progress -> numbers of its calls that are on record
        self._bytes = 0
        for path in self._files():
            self._bytes += size(path)
            key, _, number = path.name.removeprefix(f"{self._set}-").removesuffix(RECORD).partition("-")
            if number.isdecimal():
                self._calls.setdefault(key, set()).add(int(number))
        self._earlier = 0.0
        self._opened = self._last_call = time.monotonic()
        self.calls = True

    @classmethod
    def open(
        cls, folder: Path, identity: str, answer: Tensor, *, most_bytes: int = MAX_BYTES, warn: Warn | None = None
    ) -> Journal:
        """The set of this identity and of a model that answers so; a new one where there is none, or none is free.

        Args:
            folder: made where it is missing.
            identity: text that stands for all that is known to change the fit's results.
            answer: see probe.py.
        """
        warn = warn or logging.getLogger("sigmasmith").warning
        name = hashlib.sha256(identity.encode()).hexdigest()
        try:
            head = free_set(folder, name, answer) or new_set(folder, name, answer)
        except OSError as error:
            warn(f"The fit cannot be recorded ({reason(error)}), so it cannot be resumed if it is interrupted.")
            return cls(folder, identity, None, 0, warn)
        journal = cls(folder, identity, head, most_bytes, warn)
        for path in journal._files():  # of a process that was killed as it wrote
            if path.name.endswith(PART):
                remove(path)
        return journal

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the fit: since it was opened, and of the earlier parts that were read from records."""
        return self._earlier + time.monotonic() - self._opened

    def key(self, *parts: object) -> str:
        """File name of a record: a digest of the fit and of what the run was."""
        text = "|".join(part_text(part) for part in parts)
        return hashlib.sha256(f"{self._identity}|{text}".encode()).hexdigest()[:32]

    def read(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a record; None where there is none, or only one that is damaged or cannot be read."""
        path = self._path(key)
        try:
            data = path.read_bytes() if self._set else b""
        except OSError:
            return None
        record = parse_record(data)
        if record is None:
            remove(path)
            return None
        self._earlier = max(self._earlier, record[1])
        return record[0]

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Write a record in one piece: a reader sees all of it or nothing."""
        if not self._writes:
            return
        data, path = record_bytes(tensors, self.seconds), self._path(key)
        if self._bytes + len(data) > self._most_bytes:
            self._stop(f"The records of this fit have reached their limit of {in_bytes(self._most_bytes)}")
            return
        try:
            replace_in_one_piece(path, data)
        except OSError as error:
            self._stop(f"The records of this fit cannot be written ({reason(error)})")
            return
        self._bytes += len(data)

    def read_calls(self, key: str) -> dict[int, Tensor]:
        """Number of call -> model output, of the run in progress; not of calls that were shared, or quick."""
        numbers = sorted(self._calls.get(key, ())) if self.calls else ()
        records = {number: self.read(f"{key}-{number}") for number in numbers}
        return {number: record["denoised"] for number, record in records.items() if record and "denoised" in record}

    def write_call(self, key: str, index: int, denoised: Tensor) -> None:
        """Record one call of the run in progress, unless calls are quick."""
        now = time.monotonic()
        if self.calls and now - self._last_call >= _SLOW_CALL_SECONDS:
            self.write(f"{key}-{index}", {"denoised": denoised})
            self._calls.setdefault(key, set()).add(index)
        self._last_call = now

    def drop_calls(self, key: str) -> None:
        """Forget the calls of a run that is finished."""
        for number in self._calls.pop(key, ()):
            path = self._path(f"{key}-{number}")
            self._bytes -= size(path)
            remove(path)

    def clear(self) -> None:
        """Remove every record of the set, and the folder where nothing else is in it."""
        files = list(self._files())
        self.close()
        for path in files:
            remove(path)
        self._set = ""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def close(self) -> None:
        """Leave the set to the next fit that is this one again."""
        self._writes = False
        if self._head is not None:
            self._head.close()

    def _path(self, key: str) -> Path:
        return self.folder / f"{self._set}-{key}{RECORD}"

    def _files(self) -> Iterator[Path]:
        return (path for path in listed(self.folder) if self._set and path.name.startswith(self._set))

    def _stop(self, why: str) -> None:
        self._writes = False
        self._warn(f"{why}; the fit goes on, and would be resumed from here if it were interrupted.")


class Records:
    """Where an unfinished fit is recorded. A context: what was recorded stays, until `clear` says it is not needed.

    Args:
        folder: best one per model, conditioning and guidance. None: nothing is recorded.
        about: text that stands for what the caller knows of model, conditioning and guidance.
        most_bytes: that the records may take.
        warn: told in a sentence where they cannot be written; default: the log.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        about: str = "",
        *,
        most_bytes: int = MAX_BYTES,
        warn: Warn | None = None,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.about = about
        self._most_bytes, self._warn = most_bytes, warn
        self._journal: Journal | None = None

    def open(self, identity: str, ask: Callable[[], Tensor]) -> Journal | None:
        """The journal of a fit; None where nothing is recorded.

        Args:
            identity: text that stands for all the rest that the results depend on.
            ask: the model's answer to the probe.
        """
        if self.folder is not None:
            about = f"{identity} {self.about}"
            self._journal = Journal.open(self.folder, about, ask(), most_bytes=self._most_bytes, warn=self._warn)
        return self._journal

    def clear(self) -> None:
        """Remove the records: their fit is done, and its result safe."""
        if self._journal is not None:
            self._journal.clear()

    def __enter__(self) -> Records:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        if self._journal is not None:
            self._journal.close()


def part_text(part: object) -> str:
    """Text of one part of a key, exact for tensors."""
    if isinstance(part, Tensor):
        raw = part.detach().cpu().contiguous()
        return hashlib.sha256(raw.flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
    return json.dumps(part, default=str)
