"""scripts/sigmasmith_webui.py as a host executes it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "sigmasmith_webui.py"


def test_a_host_without_a_list_of_schedulers_gets_one_line_and_no_error(monkeypatch, capsys, tmp_path):
    package = ModuleType("modules")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "modules", package)
    before = dict(sys.modules)
    spec = importlib.util.spec_from_file_location("sigmasmith_webui.py", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert capsys.readouterr().out.count("\n") == 1
    assert {name: sys.modules.get(name) for name in before} == before
