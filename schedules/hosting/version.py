"""Which Sigmasmith this is: two that are equal make equal presets of equal fits."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.2.0"
_ROOT = Path(__file__).resolve().parents[1]
# What decides the numbers of a fit: the core's code and the family's data.
_SUFFIXES = (".py", ".json")


@cache
def build() -> str:
    """The version, and a digest of the core as it lies on the disk: "0.2.0+1a2b3c4d5e6f".

    A clone between two versions is told from both; line ends, which differ between systems, do not count.
    """
    sha = hashlib.sha256()
    for path in sorted(_ROOT.rglob("*"), key=lambda path: path.relative_to(_ROOT).as_posix()):
        if path.suffix in _SUFFIXES and path.is_file():
            text = path.read_text(encoding="utf-8")
            sha.update(f"{path.relative_to(_ROOT).as_posix()} {len(text)} {text}".encode())
    return f"{VERSION}+{sha.hexdigest()[:12]}"
