"""A preset file may carry a workflow; loaders ignore it."""

from __future__ import annotations

import pytest
from safetensors.torch import save
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.file import from_bytes, load_preset, save_preset, to_bytes, workflow_of
from sigmasmith.schedules.presets.metadata import preset_json
from sigmasmith.tests.nodes.page.page_presets import preset

MINE = preset()


def test_a_workflow_is_written_beside_the_preset_and_read_back():
    data = to_bytes(MINE, '{"nodes":["é"]}')
    assert workflow_of(data) == '{"nodes":["é"]}'
    assert from_bytes(data).hash == MINE.hash
    assert workflow_of(to_bytes(MINE)) is None


def test_the_preset_is_the_same_with_and_without_it(tmp_path):
    path = save_preset(tmp_path / "mine.safetensors", MINE, workflow="{}")
    assert to_bytes(load_preset(path)) == to_bytes(MINE)


def test_other_files_have_no_workflow_to_read():
    with pytest.raises(PresetError):
        workflow_of(b"nonsense")
    foreign = save({}, {"sigmasmith": preset_json(MINE), "prompt": "x"})
    with pytest.raises(PresetError):
        workflow_of(foreign)


def test_a_workflow_counts_towards_the_size_of_the_file():
    with pytest.raises(PresetError, match="at most"):
        to_bytes(MINE, "x" * 4_200_000)
