"""The family's data file, as the commands that learn read and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...schedules.family.learned import VERSION, Family, family_of

DATA_FILE = Path(f"schedules/family/family_{VERSION}.json")


def read(path: Path) -> dict[str, Any]:
    """The content of a data file, as learned.family_of takes it."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def read_family(path: Path) -> Family:
    """The family of a data file."""
    return family_of(read(path))


def write(content: Mapping[str, object], path: Path) -> None:
    """Writes a data file, its keys sorted, so that equal content is equal bytes."""
    path.write_text(json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
