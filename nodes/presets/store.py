"""Preset names, files and share codes as the nodes take them."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import replace
from pathlib import Path

from ...schedules.core.words import Phrase
from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import MAX_BYTES, file_holds, load_preset, save_preset
from ...schedules.presets.folder import preset_file
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import from_share_code, to_share_code
from ..host import folders

__all__ = ["check_choice", "file_of", "load", "load_fingerprint", "save_as", "to_share_code"]

_CODE = re.compile(r"[\s\"'`<>]*sigmasmith[0-9]+:", re.IGNORECASE)


def save_as(preset: Preset, name: str, author: str, licence: str, notes: str, overwrite: bool) -> Path:
    """Write a preset under a name; an empty author, licence or notes keeps the preset's own.

    Raises:
        ValueError: names the input. Nothing is written then.
    """
    with folders.changing:
        return _save(preset, name, author, licence, notes, overwrite)


def _save(preset: Preset, name: str, author: str, licence: str, notes: str, overwrite: bool) -> Path:
    path = folders.checked_path(name)
    fields = {"author": author.strip(), "licence": licence.strip(), "notes": notes.strip()}
    try:
        named = replace(preset, name=name.strip(), **{key: text for key, text in fields.items() if text})
        if file_holds(path, named):
            return path
        if path.exists() and not overwrite:
            raise ValueError(f"name: the preset {name} exists already; turn on overwrite or give another name")
        return save_preset(path, named, overwrite=overwrite)
    except PresetError as error:
        raise ValueError(str(error)) from None


def load(choice: str, share_code: str) -> Preset:
    """The preset in a share code, or in the file of that name. Either input takes a code.

    Raises:
        ValueError: names the input.
    """
    code = share_code.strip() or (choice if _CODE.match(choice) else "")
    try:
        if code:
            return from_share_code(code)
        return load_preset(file_of(choice))
    except PresetError as error:
        raise ValueError(f"{'share_code' if code else 'preset'}: {error}") from None


def load_fingerprint(choice: str, share_code: str) -> str:
    """Changes whenever the preset behind these inputs changes."""
    if share_code.strip() or _CODE.match(choice):
        return share_code + choice
    try:
        with open(file_of(choice), "rb") as file:  # a larger file is no preset, and may be a whole checkpoint
            return hashlib.sha256(file.read(MAX_BYTES + 1)).hexdigest()
    except (OSError, ValueError):
        return "missing"


def check_choice(choice: str | None, share_code: str) -> None:
    """Raise ValueError, which names the input, where there is no such file to load.

    Args:
        choice: None where it comes through a link, and is checked when the node runs.
    """
    if choice is not None and not share_code.strip() and not _CODE.match(choice):
        file_of(choice)


def file_of(choice: str) -> Path:
    """File of a preset by its name, with or without the suffix.

    Raises:
        ValueError: names the input `preset`, with the nearest names where there is no such preset.
    """
    name = choice.strip().removesuffix(folders.SUFFIX)
    if name in ("", folders.NO_FILE):
        raise ValueError(Phrase("preset: choose a preset, or paste a share code into share_code"))
    try:
        path = preset_file(folders.preset_folders(), name)
    except PresetError as error:
        raise ValueError(f"preset: {error}") from None
    if path is None:
        known = folders.preset_names()
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
        hint = f"did you mean {', '.join(near)}?" if near else "there are none yet; fit one or put a file there"
        raise ValueError(f"preset: there is no preset {name!r} in models/{folders.FOLDER_KEY}; {hint}")
    return path
