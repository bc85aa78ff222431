"""The preset library: the files of the preset folders as the page lists and changes them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..presets.checks import PresetError
from ..presets.file import MAX_BYTES, file_holds, from_bytes, load_preset, save_preset, to_bytes, workflow_of
from ..presets.folder import case_collision, preset_file
from ..presets.identity import ModelIdentity
from ..presets.index import Indexed, PresetIndex
from ..presets.names import preset_path
from ..presets.preset import Preset
from ..presets.share_code import from_share_code
from .library_card import card


class LibraryError(ValueError):
    """A person's wish that cannot be done; `status` is the HTTP status that says so."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class _Listed:
    """A preset of the library: its card, its lower-case text to search, and how it fits the model asked about last."""

    card: dict[str, Any]
    text: str
    model: ModelIdentity
    fits: dict[ModelIdentity, tuple[str, list[str]]] = field(default_factory=dict)

    def fit(self, running: ModelIdentity | None) -> tuple[str, list[str]]:
        """ "yes", "noise", "no" or "unknown", and the differences as sentences."""
        if running is None:
            return "unknown", []
        if running not in self.fits:
            self.fits.clear()
            differences = self.model.differences(running)
            noise = replace(self.model.noise_only, table_hash=None) if differences else self.model
            fit = "no" if differences and noise.differences(running) else "noise" if differences else "yes"
            self.fits[running] = fit, differences
        return self.fits[running]


class Library:
    """Presets below some folders.

    Args:
        folders: gives them anew each time, the one that is written to first; the same name in a later one is hidden.
        may_remove: False where several people share the library: no file is renamed or deleted then.
        changed: called after every change, so that a host can drop what it remembers of the folder.
        changing: held through every change, by whoever else writes into the folders too.
    """

    def __init__(
        self,
        folders: Callable[[], list[Path]],
        may_remove: bool = True,
        changed: Callable[[], None] = lambda: None,
        changing: Any = None,
    ) -> None:
        self.folders, self.may_remove, self.changed = folders, may_remove, changed
        self._changing = changing or threading.RLock()
        self._index = PresetIndex(folders, _listed)

    def cards(self, running: ModelIdentity | None = None) -> list[dict[str, Any]]:
        """One entry per preset, those that fit the running model first, then by name; broken files last.

        Returns:
            `library_card.card` of each, with `name`, `changeable` and `fit`: "yes", "noise" (made for the same noise
            levels, other weights), "no" or "unknown", and `differences`, sentences. Of a broken file `problem`.
        """
        return self.searched(running)[0]

    def searched(
        self, running: ModelIdentity | None = None, search: str = "", most: int | None = None
    ) -> tuple[list[dict[str, Any]], int, int]:
        """(cards as `cards` gives them, the first `most`; how many a search finds; how many presets there are).

        Args:
            search: words that must all be in the name, facts or gains; library_search.mjs does the same.
        """
        words, order = search.casefold().split(), {"yes": 0, "noise": 1, "unknown": 2, "no": 3, "broken": 4}
        entries = self._index.entries()
        ranked = []
        for name, entry in entries.items():
            text = name.casefold() + ("" if entry.value is None else entry.value.text)
            if all(word in text for word in words):
                fit = "broken" if entry.value is None else entry.value.fit(running)[0]
                ranked.append((order[fit], name.casefold(), name))
        ranked.sort()
        return [self._card(name, entries[name], running) for *_, name in ranked[:most]], len(ranked), len(entries)

    def _card(self, name: str, entry: Indexed[_Listed], running: ModelIdentity | None) -> dict[str, Any]:
        shown = {"name": name, "changeable": entry.first and not self._is_elsewhere(entry)}
        if entry.value is None:
            return shown | {"problem": entry.problem, "fit": "broken", "differences": []}
        fit, differences = entry.value.fit(running)
        return entry.value.card | shown | {"fit": fit, "differences": differences}

    def _is_elsewhere(self, entry: Indexed[_Listed]) -> bool:
        """Whether a link leads to the file, or out of the folder on the way to it."""
        return entry.linked and (entry.path.is_symlink() or not self._in_first(entry.path))

    def preset(self, name: str) -> Preset:
        """A preset by its name."""
        return self._loaded(self._file(name))

    def _loaded(self, path: Path) -> Preset:
        try:
            return load_preset(path)
        except PresetError as error:
            raise LibraryError(str(error), 400 if path.exists() else 404) from None

    def add(self, preset: Preset, name: str = "", workflow: str | None = None) -> str:
        """Write a preset under the name, its own where empty, or the next free one; returns the name.

        The very same file under that name is left as it is.
        """
        with self._changing:
            return self._add(preset, name.strip() or preset.name or "shared preset", workflow)

    def _add(self, preset: Preset, wanted: str, workflow: str | None) -> str:
        self._path(wanted)  # a bad name is said before anything else
        for candidate in _free_names(wanted):
            named, path = replace(preset, name=candidate), self._path(candidate)
            if file_holds(path, named, workflow):
                return candidate
            if os.path.lexists(path) or self._collides(candidate):
                continue
            try:
                save_preset(path, named, workflow=workflow)
            except PresetError as error:
                raise LibraryError(str(error)) from None
            self.changed()
            return candidate
        raise LibraryError(f"name: there are too many presets called {wanted}")

    def add_bytes(self, data: bytes, name: str = "") -> tuple[str, bool]:
        """Add the preset in the bytes of a file; the name and whether the file carries a workflow."""
        try:
            preset, workflow = from_bytes(data), workflow_of(data)
        except PresetError as error:
            raise LibraryError(f"This is no preset that Sigmasmith can use: {error}") from None
        return self.add(preset, name, workflow), workflow is not None

    def add_code(self, code: str, name: str = "") -> str:
        """Add the preset in a share code; returns its name."""
        try:
            preset = from_share_code(code)
        except PresetError as error:
            raise LibraryError(str(error)) from None
        return self.add(preset, name)

    def export(self, name: str, workflow: str | None) -> bytes:
        """The file of a preset as it is given away, with a workflow or without."""
        try:
            return to_bytes(self.preset(name), workflow)
        except PresetError as error:
            raise LibraryError(f"workflow: {error}", 413) from None

    def duplicate(self, name: str) -> str:
        """A copy under the next free name; returns it."""
        with self._changing:
            path = self._file(name)
            return self.add(self._loaded(path), f"{name.strip()} copy", _workflow(path))

    def rename(self, name: str, new_name: str) -> str:
        """Give a preset another name; returns it."""
        self._check_may_remove("renamed")
        with self._changing:
            renamed = self._rename(name, new_name.strip())
        self.changed()
        return renamed

    def _rename(self, name: str, new_name: str) -> str:
        old, new = self._own_file(name), self._path(new_name)
        if new == old.resolve():
            return new_name
        only_case = self._is_one_file(old, new)
        if not only_case and (os.path.lexists(new) or self._collides(new_name)):
            raise LibraryError(f"name: there is a preset {new_name} already", 409)
        preset, workflow = replace(self._loaded(old), name=new_name), _workflow(old)
        try:
            if only_case:  # one file on Windows and macOS: it must go first, and come back where that fails
                os.replace(old, new)
            try:
                save_preset(new, preset, overwrite=only_case, workflow=workflow)
            except PresetError:
                if only_case:
                    os.replace(new, old)
                raise
        except (OSError, PresetError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise LibraryError(f"{name}: cannot be renamed: {reason}", 500) from None
        if not only_case:
            self._unlink(old)
        return new_name

    def _is_one_file(self, old: Path, new: Path) -> bool:
        """Whether two names that differ only in case are one file, or would be on Windows and macOS."""
        only_case = new.parent == old.resolve().parent and new.name.casefold() == old.name.casefold()
        return only_case and (not os.path.lexists(new) or os.path.samefile(old, new))  # Linux tells them apart

    def delete(self, name: str) -> None:
        """Remove a preset for good."""
        self._check_may_remove("deleted")
        with self._changing:
            self._unlink(self._own_file(name))
        self.changed()

    def _check_may_remove(self, done: str) -> None:
        if not self.may_remove:
            raise LibraryError(f"Presets cannot be {done} here: with --multi-user the library is shared by all.", 403)

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink()
        except OSError as error:
            raise LibraryError(f"{path.stem}: cannot be deleted: {error.strerror or error}", 500) from None

    def _file(self, name: str) -> Path:
        """The file of a preset in any of the folders."""
        try:
            path = preset_file(self.folders(), name.strip())
        except PresetError as error:
            raise LibraryError(f"name: {error}") from None
        if path is None:
            raise LibraryError(f"There is no preset {name.strip()[:80]!r} any more.", 404)
        return path

    def _own_file(self, name: str) -> Path:
        """The file of a preset that may be changed: a plain file in the first folder."""
        path = self._file(name)
        first = self.folders()[0]
        if not path.is_relative_to(first):
            raise LibraryError(f"{name.strip()}: lies in a folder that is only read (extra_model_paths.yaml).", 403)
        if path.is_symlink():
            raise LibraryError(f"{name.strip()}: is a link to a file elsewhere; change it there.", 403)
        if not self._in_first(path):
            raise LibraryError(f"{name.strip()}: lies behind a link to a folder elsewhere; change it there.", 403)
        return path

    def _in_first(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folders()[0].resolve())

    def _path(self, name: str) -> Path:
        """Where a preset of this name is written: in the first folder, and never out of it through a link."""
        try:
            path = preset_path(self.folders()[0], name.strip())
        except (PresetError, ValueError, OSError) as error:
            raise LibraryError(f"name: {error}") from None
        if other := case_collision(self.folders()[0], name.strip(), above=True):
            raise LibraryError(f"name: {name.strip()} differs only in case from the folder {other}", 409)
        return path

    def _collides(self, name: str) -> bool:
        return case_collision(self.folders()[0], name.strip()) is not None


def _listed(path: Path) -> _Listed:
    """A file as the library keeps it.

    Raises:
        PresetError: it is no preset.
    """
    preset = load_preset(path)
    shown = card(preset) | {"workflow": _workflow(path) is not None}
    facts = [f"{label} {text}" for label, text in shown["facts"]]
    gains = [f"{steps} steps {text}" for steps, text in shown["gains"]]
    return _Listed(shown, "\n".join(["", *facts, *gains]).casefold(), preset.model)


def _workflow(path: Path) -> str | None:
    with open(path, "rb") as file:
        return workflow_of(file.read(MAX_BYTES + 1))


def _free_names(name: str) -> Iterator[str]:
    """The name, then with a number behind it."""
    yield name
    plain = re.sub(r" [0-9]{1,3}$", "", name)
    for number in range(2, 1_000):
        yield f"{plain} {number}"
