"""The WebUI layer keeps to itself: the host's modules in its own files alone, and nothing a host forbids."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "webui").rglob("*.py"))
# The host's modules are for the first, the page is gradio's.
ALLOWED = {"host": {"modules"}, "panel": {"gradio"}}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT)).removeprefix("webui/")


def imports(path: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found += [(0, alias.name) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            found.append((statement.level, statement.module or ""))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: named(path))
def test_only_host_files_import_the_host_and_nobody_the_other_layer(path):
    allowed = ALLOWED.get(path.parent.name, set())
    for level, module in imports(path):
        root = module.split(".")[0]
        if level == 0:
            assert root not in {"modules", "gradio", "comfy"} - allowed, f"{path.name} imports {module}"
        else:
            assert root != "nodes", f"{path.name} imports the ComfyUI layer"


def room(path: Path) -> str:
    """host, panel, or the name of a file beside them: each file in the root is a room of its own."""
    parts = path.relative_to(ROOT / "webui").parts
    return parts[0] if len(parts) > 1 else path.stem


def imported_files(path: Path) -> set[Path]:
    """Files of this layer that a file imports, wherever the import stands."""
    files: set[Path] = set()
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom) and statement.level:
            base = path.parents[statement.level - 1].joinpath(*(statement.module or "").split("."))
            named = [base / f"{alias.name}.py" for alias in statement.names]
            files |= {file if file.is_file() else base.with_suffix(".py") for file in named}
    return files & set(FILES)


def test_no_file_and_no_room_imports_itself_by_way_of_others():
    files = {path: imported_files(path) for path in FILES}
    rooms: dict[str, set[str]] = {}
    for path, imported in files.items():
        rooms.setdefault(room(path), set()).update({room(other) for other in imported} - {room(path)})
    assert rooms["extension"] >= {"script", "schedulers", "samplers", "jobs", "host"}  # the imports were read
    for graph in (files, rooms):
        TopologicalSorter(graph).prepare()  # raises CycleError


def test_one_script_and_it_imports_nothing_by_a_top_level_name_of_ours():
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert [path.name for path in scripts] == ["sigmasmith_webui.py"]
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for level, module in imports(scripts[0]):
        assert level == 0
        assert module.split(".")[0] not in ours


def test_no_eval_exec_subprocess_or_network():
    banned = {"eval", "exec", "compile", "__import__", "setattr"}
    for path in [*FILES, ROOT / "scripts" / "sigmasmith_webui.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and named(path) != "host/runs.py":
                assert call.func.id not in banned, f"{path.name}:{call.lineno} calls {call.func.id}"
        for level, module in imports(path):
            root = module.split(".")[0]
            assert level or root not in {"subprocess", "socket", "urllib", "requests", "pickle", "ctypes"}
