"""The dependency direction of the tree: web -> nodes -> schedules <- webui; the core knows no host."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE_IMPORTS = set(sys.stdlib_module_names) | {"torch", "numpy", "scipy", "safetensors"}
CORE_FILES = sorted((ROOT / "schedules").rglob("*.py"))
NODE_FILES = sorted((ROOT / "nodes").rglob("*.py"))


def imported_modules(path: Path) -> list[tuple[int, str]]:
    """(relative level, module name) of every import statement of a file."""
    found: list[tuple[int, str]] = []
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found += [(0, alias.name) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            found.append((statement.level, statement.module or ""))
    return found


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_imports_only_stdlib_torch_numpy_scipy_safetensors_and_itself(path):
    depth = len(path.relative_to(ROOT / "schedules").parts)
    for level, module in imported_modules(path):
        if level == 0:
            assert module.split(".")[0] in CORE_IMPORTS, f"{path.name} imports {module}"
        else:
            assert level <= depth, f"{path.name} reaches above schedules/ for {module}"


@pytest.mark.parametrize("path", NODE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_host_folder_of_nodes_imports_comfy(path):
    if path.parent == ROOT / "nodes" / "host":
        return
    for level, module in imported_modules(path):
        if level == 0:
            root = module.split(".")[0]
            assert root not in {"comfy", "folder_paths", "nodes", "latent_preview", "server", "modules"}, module


def test_no_eval_exec_subprocess_or_network_in_what_a_host_loads():
    banned_calls = {"eval", "exec", "compile", "__import__"}
    banned_imports = {"subprocess", "socket", "urllib", "http", "requests", "pickle", "marshal", "ctypes"}
    for path in CORE_FILES + NODE_FILES + [ROOT / "__init__.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                assert call.func.id not in banned_calls, f"{path.name}:{call.lineno} calls {call.func.id}"
        for level, module in imported_modules(path):
            assert level or module.split(".")[0] not in banned_imports, f"{path.name} imports {module}"
