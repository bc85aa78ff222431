"""Names of presets: safe as a path below one folder on Linux, macOS and Windows alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from .checks import PresetError, check_text, shown

SUFFIX = ".safetensors"
MAX_NAME = 200
MAX_PART_BYTES = 200  # file systems allow 255 bytes; the suffix and the name of the temporary file need the rest

_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}


def check_name(name: str) -> str:
    """The name itself, or PresetError: parts joined by `/`, each of them a file name on every system.

    A name carries no suffix `.safetensors`; `preset_path` adds it.
    """
    check_text("the preset name", name, MAX_NAME)
    quoted = f"the preset name {shown(name)}"
    if "\\" in name:
        raise PresetError(f"{quoted} holds a backslash; folders are separated by /")
    if name.startswith("/"):
        raise PresetError(f"{quoted} is an absolute path; it must be relative to the preset folder")
    if name.lower().endswith(SUFFIX):
        raise PresetError(f"{quoted} must not end in {SUFFIX}, which is added when the file is written")
    for part in name.split("/"):
        _check_part(part, quoted)
    return name


def _check_part(part: str, quoted: str) -> None:
    if not part:
        raise PresetError(f"{quoted} has an empty part")
    if part.strip(" .") != part:
        raise PresetError(f"{quoted} has a part that starts or ends with a dot or a space: {shown(part)}")
    for character in part:
        if character in '<>:"|?*':
            raise PresetError(f"{quoted} holds {character}, which Windows does not allow in file names")
        if unicodedata.category(character) in {"Cf", "Co", "Cn", "Zl", "Zp"}:
            raise PresetError(f"{quoted} holds the invisible or unassigned character U+{ord(character):04X}")
    if part.split(".")[0].rstrip().upper() in _DEVICES:
        raise PresetError(f"{quoted} holds {shown(part)}, which Windows reserves for a device")
    if len(part.encode()) > MAX_PART_BYTES:
        raise PresetError(f"{quoted} has a part of more than {MAX_PART_BYTES} bytes")


def find_case_collision(name: str, existing: Iterable[str]) -> str | None:
    """An existing name that differs from `name` only in case or Unicode form: one file on Windows and macOS."""
    folded = _fold(name)
    return next((other for other in existing if other != name and _fold(other) == folded), None)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def preset_path(folder: str | Path, name: str) -> Path:
    """The file of a preset name below `folder`; a link that leads out of the folder is refused."""
    root = Path(folder).resolve()
    path = root.joinpath(*check_name(name).split("/"))
    path = path.with_name(path.name + SUFFIX)
    if not path.resolve().is_relative_to(root):
        raise PresetError(f"the preset name {shown(name)} leads out of the preset folder through a link")
    return path
