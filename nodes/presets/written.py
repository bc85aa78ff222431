"""Preset files that this process has written, so that the host's cache does not take them for changed ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..host import folders

_hashes: dict[str, str] = {}


def preset_fingerprint(name: str, refit: bool) -> str:
    """Changes when somebody else changes or deletes the preset of this name, not by our own fit."""
    if refit:
        return "refit"
    try:
        path = folders.checked_path(name)
    except ValueError:
        return "bad name"
    try:
        now = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        now = None
    # No file and none written before: the fit that is still to come is our own.
    return "own" if now == _hashes.get(str(path)) else now or "deleted"


def note_written(path: Path) -> None:
    """Remember that a fit of ours has just written this file."""
    _hashes[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
