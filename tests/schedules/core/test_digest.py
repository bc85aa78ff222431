"""Digests that are the same on every machine."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from sigmasmith.schedules.core.digest import digest_of
from sigmasmith.schedules.presets.made import HowMade

SOURCE = """
def make(factor):
    def patch(x):
        return factor * x
    return patch

class Kept:
    pass
"""


def pack(name: str) -> Any:
    """A module as a host makes it of a node pack, whose name is the path of its folder."""
    module = ModuleType(name)
    exec(compile(SOURCE, "pack.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    "other", ["/home/b/ComfyUI/custom_nodes/Nodes.patches", "C:\\ComfyUI\\custom_nodes\\Nodes.patches"]
)
def test_what_a_pack_puts_on_a_model_counts_the_same_wherever_the_pack_lies(other):
    here, there = pack("/mnt/a/ComfyUI/custom_nodes/Nodes.patches"), pack(other)
    assert digest_of(here.make(2.0)) == digest_of(there.make(2.0)) != digest_of(there.make(3.0))
    assert digest_of(here.Kept()) == digest_of(there.Kept())
    another = pack("/mnt/a/ComfyUI/custom_nodes/Others.patches")
    assert digest_of(here.Kept()) != digest_of(another.Kept())


def test_our_own_classes_count_the_same_whatever_our_folder_is_called(monkeypatch):
    before = digest_of(HowMade(), HowMade)
    monkeypatch.setattr("sigmasmith.schedules.core.digest._PACKAGE", "renamed.")
    monkeypatch.setattr(HowMade, "__module__", HowMade.__module__.replace("sigmasmith.", "renamed.", 1))
    assert digest_of(HowMade(), HowMade) == before
