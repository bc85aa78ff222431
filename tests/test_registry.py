"""What the registry and the hosts ask of a pack, held over its sources."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None

ROOT = Path(__file__).resolve().parents[1]
# Everything that a host or its page loads; the command line, the demo and the benchmarks are run by hand.
FOLDERS = ("schedules", "nodes", "webui", "scripts")
SOURCES = [ROOT / "__init__.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
SCRIPTS = [path for suffix in ("*.js", "*.mjs") for path in sorted((ROOT / "web").rglob(suffix))]
EXECUTES = {"eval", "exec", "compile", "__import__", "execfile"}
SHELLS = {"subprocess", "pty", "ctypes", "multiprocessing"}
NETWORK = {"socket", "ssl", "urllib", "http", "requests", "aiohttp", "httpx", "ftplib", "smtplib", "websocket"}
PICKLES = {"pickle", "marshal", "shelve", "dill", "joblib"}
OS_CALLS = {"system", "popen", "spawnl", "spawnv", "execv", "execl", "fork", "startfile"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules_of(tree: ast.AST) -> set[str]:
    """First parts of all absolute imports."""
    found: set[str] = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            found |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom) and item.level == 0:
            found.add((item.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_eval_no_subprocess_no_network_no_pickle(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # The routes are the host's own server, asked for its request and response classes.
    allowed = {"aiohttp"} if named(path) == "nodes/host/routes.py" else set()
    assert not modules_of(tree) & (SHELLS | NETWORK | PICKLES) - allowed
    for call in (item for item in ast.walk(tree) if isinstance(item, ast.Call)):
        if isinstance(call.func, ast.Name):
            assert call.func.id not in EXECUTES, f"line {call.lineno}"
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            assert not (call.func.value.id == "os" and call.func.attr in OS_CALLS), f"line {call.lineno}"


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_page_scripts_load_nothing_from_elsewhere_and_run_no_text(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\beval\s*\(|new\s+Function\s*\(|document\.write", text)
    # The namespace of SVG is a name, not an address that is loaded.
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_is_written_into_the_pack(path):
    """Only reading may start from a file's own place."""
    text = path.read_text(encoding="utf-8")
    for line in text.splitlines():
        if "__file__" in line:
            assert not re.search(r"write|mkdir|open\(|unlink|rename|replace\(|touch", line), line


def test_the_page_finds_one_script_and_one_style_folder():
    entry = (ROOT / "__init__.py").read_text(encoding="utf-8")
    assert 'WEB_DIRECTORY = "web"' in entry
    assert [path.name for path in SCRIPTS if path.suffix == ".js"] == ["sigmasmith.js"]


def project() -> dict:
    if tomllib is None:
        pytest.skip("needs tomllib, Python 3.11")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_registry_has_what_it_needs():
    found = project()
    about, comfy = found["project"], found["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]{1,99}", about["name"])
    assert "comfyui" not in about["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", about["version"])
    assert about["dependencies"] == []  # the host brings torch and the rest; pip must not replace them
    assert (ROOT / about["license"]["file"]).is_file()
    assert about["urls"]["Repository"].startswith("https://github.com/")
    assert any(line.startswith("Operating System ::") for line in about["classifiers"])
    assert comfy["PublisherId"]
    assert comfy["DisplayName"]
    assert "web" not in comfy  # beside WEB_DIRECTORY it would load every script twice
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])


def test_the_icon_is_a_small_square_picture_of_this_repository():
    icon = project()["tool"]["comfy"]["Icon"]
    path = ROOT / icon.split("/main/")[1]
    text = path.read_text(encoding="utf-8")
    assert 'width="400" height="400"' in text
    assert len(text) < 4000
    assert "<script" not in text


def test_requirements_are_empty():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []


def test_node_list_is_for_the_registrys_static_discovery():
    listed = json.loads((ROOT / "node_list.json").read_text(encoding="utf-8"))
    assert listed
    assert all(name.startswith("Sigmasmith") and text for name, text in listed.items())
