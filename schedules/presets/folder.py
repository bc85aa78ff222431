"""The one walker of preset folders: which files are presets, by which names, in every host.

Names are paths below the folder, with `/` and without the suffix. The earlier of several folders hides the same name
in a later one. Left out are hidden files and folders (a dot first), what no preset can be called (names.check_name),
what lies deeper than MAX_DEPTH folders, and all after MAX_FILES. A file is listed whatever it holds: loading it says
what is wrong. A folder that cannot be read holds nothing.

Links are followed to read, out of the folder too: who may put a link there may put a file there, and people keep one
folder of models for several hosts. A link to a folder that it lies in is not entered. Nothing is written or removed
through a link (names.preset_path).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .checks import PresetError, shown
from .names import MAX_NAME, SUFFIX, check_name, find_case_collision, preset_path

MAX_FILES = 50_000
MAX_DEPTH = 8
# Links that lead to and fro between folders show every folder by many ways; nobody's presets lie in so many.
MAX_FOLDERS = 5_000
# A folder changed within this time of a look at it may change again without another time stamp.
YOUNG_NS = 2 * 10**9


class FoundFile(NamedTuple):
    """A preset file.

    Attributes:
        linked: whether it, or a folder on the way to it, is a link.
        first: whether it lies below the first of the folders.
    """

    path: str
    linked: bool
    first: bool


class _Listing(NamedTuple):
    """The content of one folder: its files by their names, and (folder, whether it is a link)."""

    stamp: tuple[int, int, int]
    lasting: bool
    files: dict[str, FoundFile]
    folders: list[tuple[str, bool]]


class _Place(NamedTuple):
    """A folder to look into: its path, its name with a slash behind it, the folders that it lies in, how it is met."""

    path: str
    prefix: str
    above: tuple[tuple[int, int], ...]
    linked: bool
    first: bool


class FolderWalk:
    """The walk over preset folders; folders that have not changed are not listed again."""

    def __init__(self) -> None:
        self._listings: dict[_Place, _Listing] = {}

    def files(self, folders: Iterable[Path]) -> dict[str, FoundFile]:
        """Name -> file of every preset below the folders, at most MAX_FILES, each folder's in the order of names."""
        files_by_name: dict[str, FoundFile] = {}
        known, self._listings = self._listings, {}
        for number, folder in enumerate(dict.fromkeys(folders)):
            for files in self._walk(_Place(str(folder), "", (), False, number == 0), known):
                for name, file in files.items():
                    files_by_name.setdefault(name, file)
                if len(files_by_name) > MAX_FILES:
                    return dict(islice(files_by_name.items(), MAX_FILES))
        return files_by_name

    def _walk(self, root: _Place, known: dict[_Place, _Listing]) -> Iterator[dict[str, FoundFile]]:
        """The files of every folder below one, in the order of their names, depth first."""
        waiting = [root]
        for _ in range(MAX_FOLDERS):
            if not waiting:
                return
            place = waiting.pop()
            listing = _listed(place, known.get(place))
            if listing is None or (itself := listing.stamp[:2]) in place.above:
                continue
            self._listings[place] = listing
            yield listing.files
            if len(place.above) < MAX_DEPTH:
                above = (*place.above, itself)
                waiting += [
                    _Place(
                        os.path.join(place.path, entry),
                        f"{place.prefix}{entry}/",
                        above,
                        place.linked or is_link,
                        place.first,
                    )
                    for entry, is_link in reversed(listing.folders)
                ]


def preset_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Name -> file of every preset below the folders, at most MAX_FILES, each folder's in the order of their names."""
    return {name: Path(file.path) for name, file in FolderWalk().files(folders).items()}


def preset_file(folders: Iterable[Path], name: str) -> Path | None:
    """The file of a preset in the first folder that has it, links followed; None where there is none.

    Raises:
        PresetError: the name is none that a preset can have.
    """
    parts = check_name(name).split("/")
    paths = (folder.joinpath(*parts[:-1], parts[-1] + SUFFIX) for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def free_path(folder: Path, name: str) -> Path:
    """Where a preset of this name is written: below the folder, never out of it through a link.

    Raises:
        PresetError: the name cannot be used, or a file or folder differs from a part of it only in case.
    """
    path = preset_path(folder, name)
    if other := case_collision(folder, name):
        raise PresetError(f"the preset {name} differs only in case from {shown(other)}, one file on Windows and macOS")
    return path


def case_collision(folder: Path, name: str, *, above: bool = False) -> str | None:
    """The entry below `folder` that differs from a part of the name only in case or Unicode form, if there is one.

    Args:
        above: look at the folders of the name alone.
    """
    *folders, last = name.split("/")
    for part in folders if above else (*folders, last + SUFFIX):
        if (other := find_case_collision(part, _entries(str(folder)))) is not None:
            return other
        folder = folder / part
    return None


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _listed(place: _Place, known: _Listing | None) -> _Listing | None:
    """The content of a folder, the known one where it has not changed; None where it cannot be read."""
    now = time.time_ns()
    try:
        status = os.stat(place.path)
        stamp = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if known is not None and known.lasting and known.stamp == stamp:
            return known
        with os.scandir(place.path) as entries:
            shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return None
    files, folders = {}, []
    for entry in shown:
        stem = entry.name.removesuffix(SUFFIX)
        if _is_folder(entry):
            if _is_name(f"{entry.name}/x"):
                folders.append((entry.name, entry.is_symlink()))
        elif stem != entry.name and len(place.prefix) + len(stem) <= MAX_NAME and _is_name(stem):
            files[place.prefix + stem] = FoundFile(entry.path, place.linked or entry.is_symlink(), place.first)
    return _Listing(stamp, status.st_mtime_ns < now - YOUNG_NS, files, folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except PresetError:
        return False
    return True
