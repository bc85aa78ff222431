"""Files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..schedules.presets.file import replace_file


def write_file(path: Path, data: bytes | str) -> None:
    """Write or replace a file in one piece; missing folders are made, text is UTF-8 with line feeds.

    Raises:
        ValueError: says why it cannot be written.
    """
    try:
        replace_file(path, data.encode("utf-8") if isinstance(data, str) else data)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from error


def existing_folders(names: Sequence[str]) -> list[Path]:
    """The folders, or ValueError where one is not there."""
    folders = [Path(name) for name in names]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
    return folders


def check_target(path: Path, suffix: str, *, replace: bool) -> None:
    """ValueError where a file could not be written for a reason that is known before the work begins."""
    if path.suffix != suffix:
        raise ValueError(f"--out must end in {suffix}, got {path}")
    if os.path.isdir(path):  # not Path's: what is too long for a name raises there
        raise ValueError(f"--out is a folder: {path}")
    if os.path.exists(path) and not replace:
        raise ValueError(f"--out exists: {path}; --force replaces it")
    parent = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ValueError(f"--out cannot be written: {parent} is no folder that you may write to")
