"""What is tested is this tree, whatever else is installed."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import sigmasmith

ROOT = Path(__file__).resolve().parents[1]


def test_this_process_and_those_that_tests_start_import_this_tree():
    assert Path(str(sigmasmith.__file__)) == ROOT / "__init__.py"
    code = "import sigmasmith, sigmasmith.schedules.core as core; print(sigmasmith.__file__); print(core.__file__)"
    command = [sys.executable, "-P", "-c", code]
    places = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split("\n")
    assert places[:2] == [str(ROOT / "__init__.py"), str(ROOT / "schedules" / "core" / "__init__.py")]


def test_another_copy_that_was_imported_before_is_an_error(monkeypatch):
    other = ModuleType("sigmasmith")
    other.__file__ = "/elsewhere/sigmasmith/__init__.py"
    monkeypatch.setitem(sys.modules, "sigmasmith", other)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(RuntimeError, match="would test /elsewhere/sigmasmith"):
        runpy.run_path(str(ROOT / "tests" / "conftest.py"))
