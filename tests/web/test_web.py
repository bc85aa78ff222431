"""Runs the tests of the page's pure modules with node, where there is one."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="no node: install Node.js 20 or later to test web/")
def test_the_pure_modules_of_the_page_pass_their_tests():
    done = subprocess.run(
        [str(NODE), "--test", *map(str, sorted(HERE.glob("*.test.mjs")))], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_word_list_has_every_phrase_of_pythons_and_no_other():
    root = WEB.parent
    phrases = set()
    for path in [*root.glob("nodes/**/*.py"), *root.glob("schedules/**/*.py")]:
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(item, ast.Call) and getattr(item.func, "id", "") == "Phrase":
                # A template that is put together elsewhere could not be looked for here.
                assert isinstance(item.args[0], ast.Constant), f"{path}:{item.lineno}"
                phrases.add(item.args[0].value)
    words = (WEB / "words.mjs").read_text(encoding="utf-8")
    told = words[words.index("export const TOLD") :]
    keys = re.findall(r'^  ("(?:[^"\\]|\\.)+"): \[', told, re.MULTILINE)
    assert {json.loads(key) for key in keys} == phrases


def test_the_host_finds_one_entry_and_everything_else_is_imported_from_it():
    # The host imports every .js below the folder by itself; helpers are .mjs, which it only serves.
    assert [path.name for path in WEB.rglob("*.js")] == ["sigmasmith.js"]
    imported = {"sigmasmith.js"}
    waiting = ["sigmasmith.js"]
    while waiting:
        text = (WEB / waiting.pop()).read_text(encoding="utf-8")
        for name in re.findall(r'(?:from|import\()\s*"\./([\w.]+)"', text):
            if name not in imported:
                imported.add(name)
                waiting.append(name)
    assert {path.name for path in WEB.glob("*.mjs")} | {"sigmasmith.js"} == imported


def test_the_page_fetches_nothing_from_elsewhere_and_runs_no_text():
    for path in [*WEB.glob("*.mjs"), *WEB.glob("*.js"), *WEB.glob("*.css")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\(|new Function|document\.write", text), path.name


def test_the_page_adds_nothing_to_the_documents_head_and_listens_to_no_document():
    for path in [*WEB.glob("*.mjs"), *WEB.glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"document\.head|\b(document|window|body|documentElement)\.(add|dispatch)Event", text)
        assert not found, f"{path.name}: {found}"
