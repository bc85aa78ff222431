"""The house: who lives where, who knows whom. web -> nodes -> schedules <- webui <- scripts; the core knows no host."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict

import pytest

from . import shared_lines
from .import_graph import (
    ROOT,
    circles,
    file_graph,
    folder_graph,
    function_imports,
    imports,
    loaded_with,
    named,
    sources,
    tree_of,
)

GRAPH = file_graph()
CORE_IMPORTS = set(sys.stdlib_module_names) | {"torch", "numpy", "scipy", "safetensors"}
CORE_FILES = [path for path in sources() if named(path).startswith("schedules/")]
NODE_FILES = [path for path in sources() if named(path).startswith("nodes/")]
HOST_LAYERS = [path for path in sources() if named(path).split("/")[0] in ("nodes", "webui")]
# Modules of the hosts. comfy_api is what node schemas are written in; gradio is what a WebUI's page is.
HOSTS = {"comfy", "comfy_extras", "comfy_execution", "execution", "folder_paths", "latent_preview", "nodes", "server"}
HOSTS |= {"aiohttp", "modules", "modules_forge", "backend", "ldm_patched"}
# Floors of the core, from the ground up: a folder imports its own floor's and lower ones.
FLOORS = (
    {"core"},
    {"curves", "hosts", "samplers"},
    {"presets", "family"},
    {"fitting", "adaptive", "variance", "feedback", "search"},
    {"comparison", "plot"},
    {"hosting"},
)
LAYERS_BELOW = {
    "schedules": set(),
    "nodes": {"schedules"},
    "webui": {"schedules"},
    "cli": {"schedules", "demo"},
    "demo": {"schedules", "cli"},
    "benchmarks": {"schedules", "cli", "demo"},
    "scripts": set(),
}


def test_no_files_import_each_other_in_a_circle():
    assert circles(GRAPH) == []


def test_no_folders_import_each_other_in_a_circle():
    assert circles(folder_graph(GRAPH)) == []


def test_a_circle_would_be_seen():
    graph = {"a/x.py": {"b/y.py"}, "b/y.py": {"b/z.py"}, "b/z.py": {"a/w.py"}, "a/w.py": set()}
    assert circles(graph) == []
    assert circles(folder_graph(graph)) == [["a", "b"]]
    assert circles({**graph, "a/w.py": {"a/x.py"}}) == [sorted(graph)]


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_layers_know_only_those_below(name):
    layer = name.split("/")[0]
    for target in GRAPH[name] if layer in LAYERS_BELOW else ():
        other = target.split("/")[0]
        assert other == layer or other in LAYERS_BELOW[layer], f"{name} imports {target}"


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_the_core_imports_only_stdlib_torch_numpy_scipy_safetensors_and_itself(path):
    depth = len(path.relative_to(ROOT / "schedules").parts)
    for _, module, level in imports(path):
        if level == 0:
            assert module.split(".")[0] in CORE_IMPORTS, f"{path.name} imports {module}"
        else:
            assert level <= depth, f"{path.name} reaches above schedules/ for {module}"


def test_floors_of_the_core_are_climbed_downwards_alone():
    floor = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
    assert {path.relative_to(ROOT / "schedules").parts[0] for path in CORE_FILES} == {*floor, "__init__.py"}
    for name, targets in GRAPH.items():
        own = floor.get(name.split("/")[1]) if name.startswith("schedules/") else None
        if own is not None:
            for target in targets:
                assert floor[target.split("/")[1]] <= own, f"{name} imports {target}"


def test_the_root_of_the_core_holds_its_public_face_alone():
    assert [path.name for path in (ROOT / "schedules").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize(
    "path", [path for path in sources() if named(path).split("/")[0] in ("nodes", "webui")], ids=named
)
def test_only_the_host_folders_import_the_hosts(path):
    if named(path).startswith(("nodes/host/", "webui/host/")):
        return
    for _, module, level in imports(path):
        assert level or module.split(".")[0] not in HOSTS, f"{named(path)} imports {module}"


def test_no_file_has_a_prefix_for_a_folder():
    assert [named(path) for path in sources() if path.name.startswith("_host")] == []


def test_a_class_name_stands_for_one_class():
    files: dict[str, list[str]] = defaultdict(list)
    for path in sources():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                files[node.name].append(named(path))
    assert {name: places for name, places in files.items() if len(places) > 1} == {}


def test_a_docstring_says_what_comes_out_first():
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    opened = [
        f"{named(path)}: {said.splitlines()[0]}"
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, kinds) and (said := ast.get_docstring(node) or "").startswith("What ")
    ]
    assert opened == []


def test_heavy_imports_are_lazy_in_few_places():
    assert len(function_imports(NODE_FILES)) <= 30


def test_a_host_s_start_loads_nothing_of_the_fit():
    loaded = loaded_with("nodes/extension.py")
    assert "nodes/fit/node.py" in loaded
    assert not [name for name in loaded if name.startswith("schedules/fitting/")]


def test_few_places_of_the_product_share_lines():
    """Half of the 27 that the first house had; most are the signature that k-diffusion gives to samplers."""
    shared = shared_lines.pairs(sources())
    assert len(shared) <= 13, "\n".join(map(str, shared))


def test_a_copy_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_lines, "named", lambda path: path.name)
    body = "".join(f"    x = x + {number}\n" for number in range(7))
    (tmp_path / "a.py").write_text(f'"""A."""\nimport os\n\n\ndef one(x):\n{body}    return x\n', encoding="utf-8")
    (tmp_path / "b.py").write_text(f'"""B."""\n\n\ndef two(x):\n    """Two."""\n{body}    # Here.\n', encoding="utf-8")
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    assert shared_lines.pairs(files) == [("a.py:6", "b.py:6", 7)]
    assert shared_lines.code_lines(files[1].read_text(encoding="utf-8"))[0] == (4, "def two ( x ) :")


def test_parts_of_the_pack_that_host_tests_name_are_there():
    """They are looked up by name in the host's process, where no import statement would show a moved file."""
    for path in sorted((ROOT / "tests" / "host").glob("*.py")):
        for name in re.findall(r'part\("([a-z_.]+)"\)', path.read_text(encoding="utf-8")):
            place = ROOT / name.replace(".", "/")
            assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), f"{path.name}: {name}"


def test_no_eval_exec_subprocess_or_network_in_what_a_host_loads():
    banned_calls = {"eval", "exec", "compile", "__import__"}
    banned_imports = {"subprocess", "socket", "urllib", "http", "requests", "pickle", "marshal", "ctypes"}
    for path in CORE_FILES + NODE_FILES + [ROOT / "__init__.py"]:
        for call in ast.walk(tree_of(path)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                assert call.func.id not in banned_calls, f"{path.name}:{call.lineno} calls {call.func.id}"
        for _, module, level in imports(path):
            assert level or module.split(".")[0] not in banned_imports, f"{path.name} imports {module}"
