"""The order of the core's folders: each knows those below it, and no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SCHEDULES = Path(__file__).resolve().parents[2] / "schedules"
LAYERS = (
    {"core"},
    {"curves", "hosts", "samplers"},
    {"presets", "family"},
    {"fitting", "adaptive", "variance", "feedback", "search"},
    {"comparison", "plot"},
    {"hosting"},
)
# Within a layer: the hosts' schedules are made of curves; adaptive and variance use the fit's teacher and rollouts;
# search draws variance's noise.
BESIDE = {"hosts": {"curves"}, "adaptive": {"fitting"}, "variance": {"fitting"}, "search": {"variance"}}
FOLDERS = sorted(path.name for path in SCHEDULES.iterdir() if (path / "__init__.py").is_file())


def imported_folders(folder: str) -> dict[str, str]:
    """Other folder of schedules/ -> a file of this one that imports it."""
    found: dict[str, str] = {}
    for path in (SCHEDULES / folder).rglob("*.py"):
        above = len(path.relative_to(SCHEDULES).parts)
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.ImportFrom) and statement.level == above:
                names = [statement.module] if statement.module else [alias.name for alias in statement.names]
                found |= {name.split(".")[0]: path.name for name in names}
    return found


def test_every_folder_has_its_layer():
    assert set(FOLDERS) <= set().union(*LAYERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_from_layers_below_it(folder):
    layer = next(place for place, names in enumerate(LAYERS) if folder in names)
    allowed = set().union(*LAYERS[:layer], BESIDE.get(folder, set()))
    above = {name: file for name, file in imported_folders(folder).items() if name not in allowed}
    assert not above, f"{folder} imports {above}"
