"""Preset files of one or more folders, by name; every file is read once and again when it changes (index.py)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ..presets.checks import PresetError
from ..presets.file import load_preset, save_preset
from ..presets.folder import free_path, preset_file
from ..presets.index import PresetIndex
from ..presets.preset import Preset
from . import LOGGER_NAME


class PresetStore:
    """The presets below some folders; where two have the same name, the earlier folder's counts.

    Args:
        folders: the first is written to; they need not exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(dict.fromkeys(folders))
        self._index = PresetIndex(lambda: self.folders, load_preset)
        self._said: set[str] = set()

    def names(self) -> list[str]:
        """Names of all preset files, sorted, whether or not they can be read."""
        return self._index.names()

    def load(self, name: str) -> Preset:
        """A preset by its name.

        Raises:
            PresetError: there is none of this name, or its file breaks the format.
        """
        path = preset_file(self.folders, name)
        if path is None:
            raise PresetError(f"there is no preset {name!r} in {self._folders_in_words()}")
        return load_preset(path)

    def presets(self) -> dict[str, Preset]:
        """Every readable preset by its name; a file that cannot be read is named in the log, once."""
        entries = self._index.entries()
        for problem in {entry.problem for entry in entries.values()} - self._said - {""}:
            self._said.add(problem)
            logging.getLogger(LOGGER_NAME).warning("Sigmasmith: a preset cannot be used: %s", problem)
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

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
        path = free_path(self.folders[0], name)
        if path.exists() and not replace:
            raise PresetError(f"the preset {name} exists already; tick Replace or give another name")
        return path

    def _folders_in_words(self) -> str:
        return " or ".join(folder.name for folder in self.folders)
