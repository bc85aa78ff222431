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
from collections.abc import Iterable, Iterator
from pathlib import Path

from .checks import PresetError, shown
from .names import SUFFIX, check_name, find_case_collision, preset_path

MAX_FILES = 5_000
MAX_DEPTH = 8
# Links that lead to and fro between folders show every folder by many ways; nobody's presets lie in so many.
MAX_FOLDERS = 5_000


def preset_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Name -> file of every preset below the folders, at most MAX_FILES, each folder's in the order of their names."""
    files: dict[str, Path] = {}
    for folder in dict.fromkeys(folders):
        for name, path in _walk(folder):
            if len(files) >= MAX_FILES:
                return files
            files.setdefault(name, path)
    return files


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
        PresetError: the name cannot be used, or another file differs from it only in case.
    """
    path = preset_path(folder, name)
    others = os.listdir(path.parent) if path.parent.is_dir() else []
    if other := find_case_collision(path.name, others):
        raise PresetError(f"the preset {name} differs only in case from {shown(other)}, one file on Windows and macOS")
    return path


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) below one folder, in the order of their names, depth first."""
    # (folder, its name with a slash behind it, the real folders that it lies in)
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(str(root), "", ())]
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        folder, prefix, above = waiting.pop()
        real = os.path.realpath(folder)
        if real in above:
            continue
        inner = []
        for entry in _entries(folder):
            path = os.path.join(folder, entry)
            if os.path.isdir(path):
                inner.append((path, f"{prefix}{entry}/", (*above, real)))
            elif entry.endswith(SUFFIX) and _is_name(name := prefix + entry.removesuffix(SUFFIX)):
                yield name, Path(path)
        if len(above) < MAX_DEPTH:
            waiting += reversed(inner)


def _entries(folder: str) -> list[str]:
    try:
        return sorted(entry for entry in os.listdir(folder) if not entry.startswith("."))
    except OSError:
        return []


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except PresetError:
        return False
    return True
