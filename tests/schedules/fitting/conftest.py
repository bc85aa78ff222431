"""Fixtures of fits whose records are kept."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.fitting import journal


@pytest.fixture
def slow_calls(monkeypatch):
    """Every call counts as slow enough to be recorded."""
    monkeypatch.setattr(journal, "_SLOW_CALL_SECONDS", 0.0)
