"""One index of the presets below some folders: read once, and again where a file has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from .checks import PresetError
from .folder import YOUNG_NS, FolderWalk

Value = TypeVar("Value")


@dataclass(frozen=True)
class Indexed(Generic[Value]):
    """A preset file as it was read.

    Attributes:
        value: of `read`; None where the file cannot be used, and `problem` says why.
        linked: whether the file, or a folder on the way to it, is a link.
        first: whether it lies below the first of the folders.
    """

    path: Path
    value: Value | None
    problem: str
    linked: bool
    first: bool
    stamp: tuple[int, int, int, int]
    lasting: bool

    def is_at(self, stamp: tuple[int, int, int, int], linked: bool, first: bool) -> bool:
        """Whether the file is as it was read."""
        return self.lasting and self.stamp == stamp and self.linked is linked and self.first is first


class PresetIndex(Generic[Value]):
    """The presets below some folders by name. A thousand unchanged files cost a few milliseconds.

    Args:
        folders: gives them anew each time; the same name in a later one is hidden.
        read: makes of a file what is kept of it.
    """

    def __init__(self, folders: Callable[[], Iterable[Path]], read: Callable[[Path], Value]) -> None:
        self._folders, self._read = folders, read
        self._walk = FolderWalk()
        self._entries: dict[str, Indexed[Value]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of all files, sorted, whether or not they can be used."""
        with self._lock:
            return sorted(self._walk.files(self._folders()))

    def entries(self) -> dict[str, Indexed[Value]]:
        """Every file by its name, as it is now."""
        with self._lock:
            now, known, kept = time.time_ns(), self._entries, {}
            by_name: dict[str, Indexed[Value]] = {}
            for name, file in self._walk.files(self._folders()).items():
                stamp = _stamp(file.path)
                entry = known.get(file.path)
                if entry is None or not entry.is_at(stamp, file.linked, file.first):
                    lasting = max(stamp[2:]) < now - YOUNG_NS
                    entry = Indexed(Path(file.path), *self._value(file.path), file.linked, file.first, stamp, lasting)
                by_name[name] = kept[file.path] = entry
            self._entries = kept
        return by_name

    def _value(self, path: str) -> tuple[Value | None, str]:
        try:
            return self._read(Path(path)), ""
        except PresetError as error:
            return None, str(error)
        except OSError as error:
            return None, f"cannot be read: {error.strerror or type(error).__name__}"


def _stamp(path: str) -> tuple[int, int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
