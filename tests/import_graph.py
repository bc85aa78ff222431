"""The imports among the project's own Python files, read as text: at module level, in functions and for types alike."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("schedules", "nodes", "webui", "cli", "demo", "benchmarks", "scripts")
Graph = Mapping[str, set[str]]


def sources() -> list[Path]:
    """Every Python file of the product, tests left out."""
    return [*sorted(ROOT.glob("*.py")), *(path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py")))]


def named(path: Path) -> str:
    """The file's place in the repository, with /."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree; a file is read once, however many tests ask for it."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[ast.ImportFrom | ast.Import, str, int]]:
    """(statement, first part or module, relative level) of every import of a file."""
    listed: list[tuple[ast.ImportFrom | ast.Import, str, int]] = []
    for statement in ast.walk(tree_of(path)):
        if isinstance(statement, ast.Import):
            listed += [(statement, alias.name, 0) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            listed.append((statement, statement.module or "", statement.level))
    return listed


def imported_files(path: Path, *, when_loaded: bool = False) -> set[str]:
    """Files of the project that a file imports, anywhere or when it is loaded; a package stands for its __init__.py."""
    files: set[str] = set()
    later = _later(path) if when_loaded else set()
    for statement, module, level in imports(path):
        if not level or not isinstance(statement, ast.ImportFrom) or statement in later:
            continue
        base = path.parents[level - 1].joinpath(*module.split(".")) if module else path.parents[level - 1]
        for alias in statement.names:
            candidates = (base / f"{alias.name}.py", base / alias.name / "__init__.py", base.with_suffix(".py"))
            target = next((place for place in candidates if place.is_file()), base / "__init__.py")
            if target.is_file():
                files.add(named(target))
    return files - {named(path)}


def _later(path: Path) -> set[ast.AST]:
    """What a file does not run when it is loaded: functions' bodies, and what only types need."""
    return {
        inner
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }


def loaded_with(start: str) -> set[str]:
    """Files of the project that are loaded with one of them."""
    return _reachable({named(path): imported_files(path, when_loaded=True) for path in sources()}, start)


def file_graph() -> dict[str, set[str]]:
    """File -> files that it imports."""
    return {named(path): imported_files(path) for path in sources()}


def folder_graph(graph: Graph) -> dict[str, set[str]]:
    """The same between folders. Files beside subfolders are rooms of their own: the shared parts below, the entry above
    them."""
    with_subfolders = {str(Path(name).parent.parent) for name in graph}

    def room(name: str) -> str:
        folder = str(Path(name).parent)
        return name if folder in with_subfolders else folder

    rooms: dict[str, set[str]] = {}
    for name, targets in graph.items():
        rooms.setdefault(room(name), set()).update(room(target) for target in targets)
    return {name: targets - {name} for name, targets in rooms.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Groups of more than one that import each other in a loop."""
    reached = {start: _reachable(graph, start) for start in graph}
    groups = {frozenset({a, *(b for b in reached[a] if a in reached.get(b, ()))}) for a in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    left = list(graph[start])
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += graph.get(name, ())
    return seen


def function_imports(paths: Iterable[Path]) -> list[str]:
    """`file:line` of every import statement inside a function."""
    places: list[str] = []
    for path in paths:
        inside = {
            statement
            for function in ast.walk(tree_of(path))
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            for statement in ast.walk(function)
            if isinstance(statement, (ast.Import, ast.ImportFrom))
        }
        places += sorted(f"{named(path)}:{statement.lineno}" for statement in inside)
    return places
