"""Folders of records: the sets in one, which of them a fit may take, and the removal of what nobody goes on with."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from torch import Tensor

from .probe import same_answers
from .record_file import HeldFile, is_held, parse_record, record_bytes

# What unfinished fits may leave behind: see `prune_records`. No single one writes more than this either.
MAX_AGE_DAYS = 30.0
MAX_BYTES = 8 * 10**9
# A folder touched so lately may belong to a fit that is about to write into it.
_YOUNG_SECONDS = 3_600.0
RECORD, HEAD = ".record", ".head"
# A fit's folder has a digest for a name; a set 8 digits. The last form is that of records before there were sets.
_FOLDER = re.compile(r"[0-9a-f]{32}")
_OURS = re.compile(
    r"[0-9a-f]{8}(\.head|-[0-9a-f]{32}(-[0-9]+)?\.record(\.[0-9a-f]{8}\.part)?)"
    r"|[0-9a-f]{32}(-[0-9]+)?\.(safetensors|part)"
)


def prune_records(root: Path, keep: str = "", now: float | None = None, most_bytes: int | None = None) -> list[str]:
    """Remove the records of fits that nobody went on with; returns the folders they were in.

    Those untouched for MAX_AGE_DAYS go, and of the others the oldest, until `most_bytes` are left. What a running fit
    holds, or what was touched within the hour, stays. Only folders that have a digest for a name are looked into and
    only record files in them removed, never what a link leads to.

    Args:
        root: holds one folder per unfinished fit.
        keep: name of the folder that is about to be used.
        now: seconds since the epoch; default: the clock's.
        most_bytes: default MAX_BYTES.
    """
    now = time.time() if now is None else now
    most = MAX_BYTES if most_bytes is None else most_bytes
    fits = [(_last_touched(folder), sum(size(file) for file in _records(folder)), folder) for folder in _folders(root)]
    total, removed = sum(taken for _, taken, _ in fits), []
    for touched, taken, folder in sorted(fits, key=lambda fit: fit[0]):
        too_old = touched < now - MAX_AGE_DAYS * 86_400.0
        unwanted = too_old or (total > most and touched < now - _YOUNG_SECONDS)
        if folder.name != keep and unwanted and not any(is_held(file) for file in _records(folder, HEAD)):
            for file in _records(folder):
                remove(file)
            with contextlib.suppress(OSError):
                folder.rmdir()
            total -= taken
            removed.append(folder.name)
    return removed


def free_set(folder: Path, identity: str, answer: Tensor) -> HeldFile | None:
    """The head of the set that a fit of this identity and model may go on with, held."""
    for path in sorted(listed(folder)):
        if path.suffix != HEAD or not _OURS.fullmatch(path.name):
            continue
        try:
            record = parse_record(path.read_bytes())
        except OSError:
            continue
        known = record[0].get(identity) if record is not None else None
        if known is not None and same_answers(known, answer) and (head := HeldFile.take(path)) is not None:
            return head
    return None


def new_set(folder: Path, identity: str, answer: Tensor) -> HeldFile:
    for attempt in range(3):  # the folder may be removed between the two, by a fit that is done with it
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return HeldFile.make(folder / f"{secrets.token_hex(4)}{HEAD}", record_bytes({identity: answer}, 0.0))
        except FileNotFoundError:
            if attempt == 2:
                raise
    raise AssertionError


def _folders(root: Path) -> list[Path]:
    return [path for path in listed(root) if _FOLDER.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]


def _records(folder: Path, suffix: str = "") -> list[Path]:
    files = [file for file in listed(folder) if _OURS.fullmatch(file.name) and file.name.endswith(suffix)]
    return [file for file in files if not file.is_dir()]


def _last_touched(folder: Path) -> float:
    """When the newest record was written, or the folder made; now where it has just vanished."""
    times = []
    for path in (folder, *_records(folder)):
        with contextlib.suppress(OSError):
            times.append(path.lstat().st_mtime)
    return max(times, default=time.time())


def listed(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def reason(error: OSError) -> str:
    """The system's word, without a path."""
    return error.strerror or type(error).__name__
