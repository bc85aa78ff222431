"""Which Sigmasmith this is."""

from __future__ import annotations

import re
from pathlib import Path

from sigmasmith.cli.fit import TOOL
from sigmasmith.schedules.hosting import version

ROOT = Path(__file__).resolve().parents[3]


def test_the_version_is_that_of_the_package():
    assert f'\nversion = "{version.VERSION}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"sigmasmith {version.VERSION}" == TOOL


def test_a_build_changes_with_the_core_and_not_with_line_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    build = version.build.__wrapped__
    (tmp_path / "a.py").write_bytes(b"x = 1\ny = 2\n")
    (tmp_path / "a.pyc").write_bytes(b"cache")
    first = build()
    assert re.fullmatch(re.escape(version.VERSION) + r"\+[0-9a-f]{12}", first)
    (tmp_path / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    (tmp_path / "a.pyc").write_bytes(b"another")
    assert build() == first
    (tmp_path / "a.py").write_bytes(b"x = 1\ny = 3\n")
    assert build() != first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert build() != first
