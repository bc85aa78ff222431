"""Presets in folders, as hosts look them up."""

from __future__ import annotations

import logging
import os

import pytest
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosting.preset_store import PresetStore
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset


def preset(name: str = "", steps: int = 5) -> Preset:
    return Preset(
        schedules={steps: CURVES["karras"](steps, 0.03, 14.6)},
        sampler="euler",
        model=ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False),
        name=name,
    )


def test_presets_of_all_folders_are_listed_and_the_first_folder_counts(tmp_path):
    first, second = PresetStore([tmp_path / "a"]), PresetStore([tmp_path / "b"])
    first.save("both", preset(steps=5))
    second.save("both", preset(steps=8))
    second.save("sub/other", preset(steps=8))
    store = PresetStore([tmp_path / "a", tmp_path / "b"])
    assert store.names() == ["both", "sub/other"]
    assert list(store.load("both").schedules) == [5]
    assert store.by_hash(preset(steps=8).hash[:12]) == "sub/other"
    assert store.by_hash("00" * 6) is None


def test_a_folder_that_does_not_exist_holds_nothing_and_is_made_by_saving(tmp_path):
    store = PresetStore([tmp_path / "not" / "yet"])
    assert store.names() == []
    assert store.save("a", preset()).is_file()
    assert store.names() == ["a"]


def test_a_taken_name_is_refused_before_and_at_saving_unless_replaced(tmp_path):
    store = PresetStore([tmp_path])
    store.save("a", preset(steps=5))
    for refused in (lambda: store.check_free("a"), lambda: store.save("a", preset(steps=8))):
        with pytest.raises(PresetError, match="exists already"):
            refused()
    with pytest.raises(PresetError, match="differs only in case"):
        store.check_free("A")
    store.save("a", preset(steps=8), replace=True)
    assert list(store.load("a").schedules) == [8]


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a\\b", "", "CON", "a.safetensors"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    store = PresetStore([tmp_path / "presets"])
    with pytest.raises(PresetError):
        store.save(name, preset())
    with pytest.raises(PresetError):
        store.load(name)


def test_a_broken_file_is_named_once_and_read_again_when_it_changes(tmp_path, caplog):
    store = PresetStore([tmp_path])
    path = store.save("a", preset())
    path.write_bytes(b"not a preset")
    with caplog.at_level(logging.WARNING, logger="sigmasmith"):
        assert store.presets() == {}
        assert store.presets() == {}
    assert len(caplog.records) == 1
    with pytest.raises(PresetError):
        store.load("a")
    store.save("a", preset(steps=9), replace=True)
    os.utime(path, ns=(1, 1))
    assert list(store.presets()["a"].schedules) == [9]


def test_hidden_folders_and_foreign_files_are_not_listed(tmp_path):
    store = PresetStore([tmp_path])
    store.save("a", preset())
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes())
    (tmp_path / "readme.txt").write_text("hello")
    assert store.names() == ["a"]
