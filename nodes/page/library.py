"""The preset library: the files of the preset folders as the page lists and changes them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import MAX_BYTES, file_holds, from_bytes, load_preset, save_preset, to_bytes, workflow_of
from ...schedules.presets.folder import MAX_FILES, preset_file, preset_files
from ...schedules.presets.identity import ModelIdentity
from ...schedules.presets.names import find_case_collision, preset_path
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import from_share_code
from .library_card import card


class LibraryError(ValueError):
    """A person's wish that cannot be done; `status` is the HTTP status that says so."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Library:
    """Presets below some folders.

    Args:
        folders: gives them anew each time, the one that is written to first; the same name in a later one is hidden.
        may_remove: False where several people share the library: no file is renamed or deleted then.
        changed: called after every change, so that a host can drop what it remembers of the folder.
    """

    folders: Callable[[], list[Path]]
    may_remove: bool = True
    changed: Callable[[], None] = lambda: None
    _cards: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = field(default_factory=dict)
    _identities: dict[Path, ModelIdentity] = field(default_factory=dict)

    def cards(self, running: ModelIdentity | None = None) -> list[dict[str, Any]]:
        """One entry per preset, those that fit the running model first, then by name; broken files last.

        Returns:
            `library_card.card` of each, with `name`, `changeable` and `fit`: "yes", "noise" (made for the same noise
            levels, other weights), "no" or "unknown", and `differences`, sentences. Of a broken file `problem`.
        """

        cards = []
        for name, path in preset_files(self.folders()).items():
            entry = dict(self._card(path)) | {"name": name, "changeable": self._in_first(path)}
            entry |= self._fit(path, running) if "problem" not in entry else {"fit": "broken", "differences": []}
            cards.append(entry)
        order = {"yes": 0, "noise": 1, "unknown": 2, "no": 3, "broken": 4}
        return sorted(cards, key=lambda entry: (order[entry["fit"]], entry["name"].casefold()))

    def preset(self, name: str) -> Preset:
        """A preset by its name."""
        try:
            return load_preset(self._file(name))
        except PresetError as error:
            raise LibraryError(str(error)) from None

    def add(self, preset: Preset, name: str = "", workflow: str | None = None) -> str:
        """Write a preset under the name, its own where empty, or the next free one; returns the name.

        The very same file under that name is left as it is.
        """
        wanted = name.strip() or preset.name or "shared preset"
        self._path(wanted)  # a bad name is said before anything else
        for candidate in _free_names(wanted):
            named, path = replace(preset, name=candidate), self._path(candidate)
            if file_holds(path, named, workflow):
                return candidate
            if os.path.lexists(path) or self._collides(path):
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
        path = self._file(name)
        return self.add(self.preset(name), f"{name.strip()} copy", self._workflow(path))

    def rename(self, name: str, new_name: str) -> str:
        """Give a preset another name; returns it."""
        self._check_may_remove("renamed")
        old, new, new_name = self._own_file(name), self._path(new_name), new_name.strip()
        if new == old.resolve():
            return new_name
        only_case = new.parent == old.resolve().parent and new.name.casefold() == old.name.casefold()
        if only_case and os.path.lexists(new) and not os.path.samefile(old, new):  # Linux tells them apart
            only_case = False
        if not only_case and (os.path.lexists(new) or self._collides(new)):
            raise LibraryError(f"name: there is a preset {new_name} already", 409)
        preset, workflow = replace(self.preset(name), name=new_name), self._workflow(old)
        try:
            if only_case:  # one file on Windows and macOS: it must go first
                os.replace(old, new)
            save_preset(new, preset, overwrite=only_case, workflow=workflow)
        except (OSError, PresetError) as error:
            raise LibraryError(f"{name}: cannot be renamed: {error}") from None
        if not only_case:
            self._unlink(old)
        self.changed()
        return new_name

    def delete(self, name: str) -> None:
        """Remove a preset for good."""
        self._check_may_remove("deleted")
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
        if not self._in_first(path):
            raise LibraryError(f"{name.strip()}: lies in a folder that is only read (extra_model_paths.yaml).", 403)
        if path.is_symlink():
            raise LibraryError(f"{name.strip()}: is a link to a file elsewhere; change it there.", 403)
        return path

    def _in_first(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folders()[0].resolve())

    def _path(self, name: str) -> Path:
        """Where a preset of this name is written: in the first folder, and never out of it through a link."""
        try:
            return preset_path(self.folders()[0], name.strip())
        except (PresetError, ValueError, OSError) as error:
            raise LibraryError(f"name: {error}") from None

    def _collides(self, path: Path) -> bool:
        return path.parent.is_dir() and find_case_collision(path.name, os.listdir(path.parent)) is not None

    def _workflow(self, path: Path) -> str | None:
        with open(path, "rb") as file:
            return workflow_of(file.read(MAX_BYTES + 1))

    def _card(self, path: Path) -> dict[str, Any]:
        """The card of a file, read anew only where it has changed."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if path in self._cards and self._cards[path][0] == stamp:
                return self._cards[path][1]
            preset = load_preset(path)
            shown = card(preset) | {"workflow": self._workflow(path) is not None}
            self._identities[path] = preset.model
        except (OSError, PresetError) as error:
            return {"problem": str(error)}
        if len(self._cards) > MAX_FILES:
            self._cards.clear()
        self._cards[path] = (stamp, shown)
        return shown

    def _fit(self, path: Path, running: ModelIdentity | None) -> dict[str, Any]:
        if running is None:
            return {"fit": "unknown", "differences": []}
        fitted = self._identities[path]
        noise_only = replace(
            fitted, checkpoint=None, checkpoint_hash=None, parameters=None, patches=None, loras=(), table_hash=None
        )
        differences = fitted.differences(running)
        fit = "no" if noise_only.differences(running) else "noise" if differences else "yes"
        return {"fit": fit, "differences": differences}


def _free_names(name: str) -> Iterator[str]:
    """The name, then with a number behind it."""
    yield name
    plain = re.sub(r" [0-9]{1,3}$", "", name)
    for number in range(2, 1_000):
        yield f"{plain} {number}"
