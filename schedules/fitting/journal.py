"""Records of an unfinished fit, so that an interrupted one goes on where it stopped.

A fit decides everything from the results of its runs, and those are deterministic: the same fit started again asks for
the same runs in the same order, and those on record are answered without a model call. One safetensors file per
finished run; of the run in progress one file per model call, where calls are slow enough to be worth it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

# A model call faster than this is cheaper to repeat than to write down.
_SLOW_CALL_SECONDS = 0.5
# What unfinished fits may leave behind: see `prune_records`.
MAX_AGE_DAYS = 30.0
MAX_BYTES = 8 * 10**9
# A fit's folder has a digest for a name; a record a digest, for a single call with its number.
_FOLDER = re.compile(r"[0-9a-f]{32}")
_RECORD = re.compile(r"[0-9a-f]{32}(-[0-9]+)?\.(safetensors|part)")


class Journal:
    """A folder of records.

    Args:
        folder: made when the first record is written, removed by `clear`. Give each fit its own.
        identity: text that stands for all that the fit's results depend on (noise, sampler, range ...): records of
            another identity in the same folder are never read.
    Attributes:
        calls: whether calls of a run in progress are recorded; not where what a model answers depends on calls before.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self._identity = hashlib.sha256(identity.encode()).hexdigest()
        self._last_call = time.monotonic()
        self.calls = True

    def key(self, *parts: object) -> str:
        """File name of a record: a digest of the fit and of what the run was."""
        text = "|".join(part_text(part) for part in parts)
        return hashlib.sha256(f"{self._identity}|{text}".encode()).hexdigest()[:32]

    def read(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a record; None where there is none, or only a damaged one (which is removed)."""
        path = self.folder / f"{key}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (SafetensorError, OSError):
            path.unlink(missing_ok=True)
            return None

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Write a record in one piece: a reader sees all of it or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key}.safetensors"
        part = path.with_suffix(".part")
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part)
        os.replace(part, path)

    def read_calls(self, key: str) -> list[Tensor]:
        """Model outputs of the run in progress, from its first call to the first that is not on record."""
        outputs: list[Tensor] = []
        while self.calls and (record := self.read(f"{key}-{len(outputs)}")) is not None:
            outputs.append(record["denoised"])
        return outputs

    def write_call(self, key: str, index: int, denoised: Tensor) -> None:
        """Record one call of the run in progress, unless calls are quick."""
        now = time.monotonic()
        if self.calls and now - self._last_call >= _SLOW_CALL_SECONDS:
            self.write(f"{key}-{index}", {"denoised": denoised})
        self._last_call = now

    def drop_calls(self, key: str) -> None:
        """Forget the calls of a run that is finished."""
        for path in self.folder.glob(f"{key}-*.safetensors"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every record, and the folder where nothing else is in it. Called when the fit is done."""
        _remove_records(self.folder)


def prune_records(root: Path, keep: str = "", now: float | None = None) -> list[str]:
    """Remove the records of fits that nobody went on with; returns the folders they were in.

    Those untouched for MAX_AGE_DAYS go, and of the others the oldest, until MAX_BYTES are left. Only folders that
    have a digest for a name are looked into and only record files in them removed, never what a link leads to.

    Args:
        root: holds one folder per unfinished fit.
        keep: name of the folder that is about to be used.
        now: seconds since the epoch; default: the clock's.
    """
    now = time.time() if now is None else now
    fits = []
    for folder in _record_folders(root):
        records = [file.lstat() for file in _records(folder)]
        fits.append(
            (max((stat.st_mtime for stat in records), default=0.0), sum(stat.st_size for stat in records), folder)
        )
    total, removed = sum(size for _, size, _ in fits), []
    for newest, size, folder in sorted(fits, key=lambda fit: fit[0]):
        too_old = newest < now - MAX_AGE_DAYS * 86_400.0
        if folder.name != keep and (too_old or total > MAX_BYTES):
            _remove_records(folder)
            total -= size
            removed.append(folder.name)
    return removed


def _record_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]


def _records(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if _RECORD.fullmatch(file.name) and not file.is_dir()]


def _remove_records(folder: Path) -> None:
    """Remove the records in a folder, and it where nothing else is in it."""
    if not folder.is_dir():
        return
    for file in _records(folder):
        file.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def part_text(part: object) -> str:
    """Text of one part of a key, exact for tensors."""
    if isinstance(part, Tensor):
        raw = part.detach().cpu().contiguous()
        return hashlib.sha256(raw.flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
    return json.dumps(part, default=str)
