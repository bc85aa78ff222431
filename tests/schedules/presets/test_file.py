"""Preset files: golden bytes, round trips, and writing whole or not at all. Hostile files: test_hostile.py."""

from __future__ import annotations

import json
import os
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from sigmasmith.schedules.presets import file as preset_file
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.file import file_holds, from_bytes, load_preset, save_preset, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.metadata import preset_json
from sigmasmith.schedules.presets.preset import Preset

GOLDEN = Path(__file__).resolve().parent / "golden"
PRESETS = runpy.run_path(str(GOLDEN / "make_golden.py"))["golden_presets"]()
FULL = PRESETS["preset_v1_full"]


@pytest.mark.parametrize("stem", PRESETS)
def test_golden_file_is_written_and_read_to_the_byte(stem):
    golden = (GOLDEN / f"{stem}.safetensors").read_bytes()
    assert to_bytes(PRESETS[stem]) == golden
    assert to_bytes(from_bytes(golden)) == golden


def test_golden_file_holds_what_it_was_made_of():
    preset = load_preset(GOLDEN / "preset_v1_full.safetensors")
    assert preset.hash == FULL.hash
    assert preset.model == FULL.model
    assert preset.errors == FULL.errors
    assert preset.origin == {2: "karras", 10: "fitted"}
    assert preset.seeds == (0, 1, 2**64 - 1)
    assert preset.notes == FULL.notes
    assert torch.equal(preset.coefficients[2], FULL.coefficients[2])


def test_safetensors_itself_reads_and_writes_the_same_bytes():
    data = to_bytes(FULL)
    tensors = load(data)
    assert sorted(tensors) == ["coefficients.2", "sigmas.10", "sigmas.2"]
    assert torch.equal(tensors["sigmas.10"], FULL.schedules[10])
    assert save(tensors, {"sigmasmith": preset_json(FULL)}) == data


@pytest.mark.parametrize("stem", PRESETS)
def test_the_version_that_is_written_is_the_lowest_that_can_say_it(stem):
    assert json.loads(preset_json(PRESETS[stem]))["version"] == int(stem[len("preset_v")])
    unsaid = replace(PRESETS[stem], made=HowMade())
    assert json.loads(preset_json(unsaid))["version"] == 1


def test_a_file_holds_a_preset_in_whatever_order_and_version_it_was_written(tmp_path):
    spaced = json.dumps(json.loads(preset_json(FULL)) | {"version": 2, "made": {}})
    path = tmp_path / "a.safetensors"
    path.write_bytes(save(load(to_bytes(FULL)), {"sigmasmith": spaced}))
    assert path.read_bytes() != to_bytes(FULL)
    assert file_holds(path, FULL)
    assert not file_holds(path, FULL, "{}")
    assert not file_holds(path, replace(FULL, notes=""))
    assert not file_holds(tmp_path / "none.safetensors", FULL)


def test_order_of_what_was_given_does_not_reach_the_bytes():
    turned = {name: dict(reversed(list(getattr(FULL, name).items()))) for name in ("schedules", "origin", "errors")}
    fields = {name: getattr(FULL, name) for name in FULL.__dataclass_fields__}
    assert to_bytes(Preset(**{**fields, **turned})) == to_bytes(FULL)


def test_workflow_in_the_metadata_is_ignored():
    tensors = {f"sigmas.{steps}": values for steps, values in FULL.schedules.items()}
    preset = from_bytes(save(tensors, {"sigmasmith": preset_json(FULL), "workflow": '{"nodes": []}'}))
    assert preset.hash == FULL.hash


def test_left_out_keys_mean_not_known():
    text = (
        '{"format":"sigmasmith-preset","version":1,"sampler":"euler",'
        '"model":{"sigma_min":0.1,"sigma_max":1,"flow":false}}'
    )
    preset = from_bytes(save({"sigmas.1": torch.tensor([1.0, 0.0])}, {"sigmasmith": text}))
    assert preset.model == ModelIdentity(sigma_min=0.1, sigma_max=1.0, flow=False)
    assert preset.guidance is None
    assert preset.seeds == ()


def sigma_lists(most: int = 40) -> st.SearchStrategy[torch.Tensor]:
    """Any list that keeps the contract, by the bit patterns of positive float32, subnormal ones included."""
    return st.sets(st.integers(1, 0x7F7FFFFF), min_size=1, max_size=most).map(
        lambda patterns: torch.from_numpy(
            np.append(np.array(sorted(patterns, reverse=True), dtype=np.uint32).view(np.float32), np.float32(0.0))
        )
    )


@given(lists=st.lists(sigma_lists(), min_size=1, max_size=4), notes=st.text(max_size=30), name=st.text(max_size=5))
def test_every_preset_comes_back_bit_for_bit(lists, notes, name):
    model = ModelIdentity(sigma_min=0.1, sigma_max=1.0, flow=False)
    schedules = {len(values) - 1: values for values in lists}
    try:
        preset = Preset(schedules=schedules, sampler="x", model=model, exact=True, notes=notes, name=name)
    except PresetError:  # text that the format refuses
        return
    data = to_bytes(preset)
    loaded = from_bytes(data)
    assert to_bytes(loaded) == data
    for steps, values in schedules.items():
        assert loaded.schedules[steps].numpy().tobytes() == values.numpy().tobytes()


def test_ten_thousand_steps_fit_a_file_and_four_megabytes_do_not():
    model = ModelIdentity(sigma_min=0.1, sigma_max=100.0, flow=False)

    def ramp(steps: int) -> torch.Tensor:
        return torch.arange(steps, -1, -1, dtype=torch.float32) / 100.0

    most = Preset(schedules={10_000: ramp(10_000)}, sampler="", model=model)
    assert torch.equal(from_bytes(to_bytes(most)).schedules[10_000], ramp(10_000))
    counts = range(9_990, 10_001)
    coefficients = {steps: torch.zeros(steps, 16) for steps in counts}
    large = Preset(
        schedules={steps: ramp(steps) for steps in counts}, sampler="", model=model, coefficients=coefficients
    )
    with pytest.raises(PresetError, match="a file holds at most 4,194,304"):
        to_bytes(large)


def test_saved_preset_is_loaded_again_and_leaves_no_other_file(tmp_path):
    path = save_preset(tmp_path / "SDXL" / "a.safetensors", FULL)
    assert load_preset(path).hash == FULL.hash
    assert [entry.name for entry in path.parent.iterdir()] == ["a.safetensors"]


def test_overwriting_must_be_asked_for(tmp_path):
    path = save_preset(tmp_path / "a.safetensors", FULL)
    with pytest.raises(PresetError, match=r"^a\.safetensors: exists already"):
        save_preset(path, PRESETS["preset_v1_least"])
    assert load_preset(path).hash == FULL.hash
    save_preset(path, PRESETS["preset_v1_least"], overwrite=True)
    assert load_preset(path).hash == PRESETS["preset_v1_least"].hash


def test_a_name_that_differs_only_in_case_is_refused(tmp_path):
    save_preset(tmp_path / "Portrait.safetensors", FULL)
    with pytest.raises(PresetError, match=r"differs only in case from 'Portrait\.safetensors'|exists already"):
        save_preset(tmp_path / "portrait.safetensors", FULL)
    with pytest.raises(PresetError, match="differs only in case"):
        save_preset(tmp_path / "portrait.safetensors", FULL, overwrite=True)


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch):
    path = save_preset(tmp_path / "a.safetensors", FULL)

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(preset_file.os, "fsync", full_disk)
    with pytest.raises(PresetError, match=r"^a\.safetensors: cannot be written: No space left on device$"):
        save_preset(path, PRESETS["preset_v1_least"], overwrite=True)
    assert load_preset(path).hash == FULL.hash
    assert len(list(tmp_path.iterdir())) == 1


def test_places_that_are_no_file_are_refused_in_words(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(PresetError, match=r"must end in \.safetensors"):
        save_preset(tmp_path / "a.json", FULL)
    with pytest.raises(PresetError, match="is a folder"):
        save_preset(tmp_path / "folder.safetensors", FULL, overwrite=True)
    with pytest.raises(PresetError, match="cannot be written"):
        save_preset(tmp_path / "file" / "a.safetensors", FULL)
    with pytest.raises(PresetError, match=r"folder\.safetensors: is no file"):
        load_preset(tmp_path / "folder.safetensors")
    with pytest.raises(PresetError, match="does not exist"):
        load_preset(tmp_path / "none.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(PresetError, match="is no file"):
        load_preset(tmp_path / "pipe.safetensors")


def test_an_oversize_file_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.safetensors"
    with open(path, "wb") as file:
        file.truncate(2**26)
    with pytest.raises(PresetError, match=r"large\.safetensors: the file is larger than 4,194,304 bytes"):
        load_preset(path)
