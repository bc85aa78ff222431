"""Preset files of one or more folders, by name; every file is read once and again when it changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ..schedules.hosting import LOGGER_NAME
from ..schedules.presets.checks import PresetError
from ..schedules.presets.file import load_preset, save_preset
from ..schedules.presets.names import SUFFIX, check_name, find_case_collision, preset_path
from ..schedules.presets.preset import Preset

# A folder of somebody's models is searched too if they point us there; further files are not read.
MAX_FILES = 2_000


class PresetStore:
    """The presets below some folders; where two have the same name, the earlier folder's counts.

    Args:
        folders: the first is written to; they need not exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(dict.fromkeys(folders))
        self._read: dict[Path, tuple[tuple[int, int], Preset | None]] = {}

    def names(self) -> list[str]:
        """Names of all preset files, sorted, whether or not they can be read."""
        return sorted(self._files())

    def load(self, name: str) -> Preset:
        """A preset by its name.

        Raises:
            PresetError: there is none of this name, or its file breaks the format.
        """
        path = self._files().get(name)
        if path is None:
            raise PresetError(f"there is no preset {name!r} in {self._folders_in_words()}")
        return load_preset(path)

    def presets(self) -> dict[str, Preset]:
        """Every readable preset by its name; a file that cannot be read is named in the log, once."""
        found: dict[str, Preset] = {}
        for name, path in self._files().items():
            preset = self._cached(path)
            if preset is not None:
                found[name] = preset
        return found

    def by_hash(self, digest: str) -> str | None:
        """Name of a preset whose sigmas have this hash, or one that begins so."""
        return next((name for name, preset in self.presets().items() if preset.hash.startswith(digest)), None)

    def save(self, name: str, preset: Preset, *, replace: bool = False) -> Path:
        """Write a preset under a name.

        Raises:
            PresetError: the name cannot be used, or is taken and `replace` is False.
        """
        return save_preset(self.check_free(name, replace=replace), preset, overwrite=replace)

    def check_free(self, name: str, *, replace: bool = False) -> Path:
        """The file that `save` would write.

        Raises:
            PresetError: as `save`, before anything was computed.
        """
        path = preset_path(self.folders[0], name)
        if path.exists() and not replace:
            raise PresetError(f"the preset {name} exists already; tick Replace or give another name")
        others = os.listdir(path.parent) if path.parent.is_dir() else []
        if other := find_case_collision(path.name, others):
            raise PresetError(f"the preset {name} differs only in case from {other}, one file on Windows and macOS")
        return path

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in _preset_files(folder):
                name = path.relative_to(folder).with_suffix("").as_posix()
                try:
                    found.setdefault(check_name(name), path)
                except PresetError:
                    continue  # a name that no preset can have
        return found

    def _cached(self, path: Path) -> Preset | None:
        try:
            status = path.stat()
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            try:
                known = (stamp, load_preset(path))
            except PresetError as error:
                logging.getLogger(LOGGER_NAME).warning("Sigmasmith: a preset cannot be used: %s", error)
                known = (stamp, None)
            self._read[path] = known
        return known[1]

    def _folders_in_words(self) -> str:
        return " or ".join(folder.name for folder in self.folders)


def _preset_files(folder: Path) -> list[Path]:
    """Preset files below a folder, at most MAX_FILES; hidden folders hold nobody's presets."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent) / name for name in sorted(files) if name.endswith(SUFFIX) and not name.startswith(".")]
        if len(found) >= MAX_FILES:
            break
    return found[:MAX_FILES]
