"""The index of presets: as the folders are now, whatever has changed them, and quick where nothing has."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets import folder as preset_folder
from sigmasmith.schedules.presets.file import load_preset, save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.index import PresetIndex
from sigmasmith.schedules.presets.matching import best_match
from sigmasmith.schedules.presets.preset import Preset

from ...processor import cost

OLD = 1_600_000_000


def preset(steps: int = 5, checkpoint: str | None = None) -> Preset:
    model = ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False, checkpoint=checkpoint)
    return Preset(schedules={steps: CURVES["karras"](steps, 0.03, 14.6)}, sampler="euler", model=model)


class Reads:
    """load_preset that counts."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, path: Path) -> Preset:
        self.paths.append(path.name)
        return load_preset(path)


def aged(*paths: Path) -> None:
    """Make files and folders look long untouched; their change time stays new."""
    for path in paths:
        os.utime(path, (OLD, OLD))


@pytest.fixture(autouse=True)
def _quiet_clock(monkeypatch):
    """Nothing counts as young, so that what is remembered is really used."""
    monkeypatch.setattr(preset_folder, "YOUNG_NS", -(10**12))
    monkeypatch.setattr("sigmasmith.schedules.presets.index.YOUNG_NS", -(10**12))


def steps_of(index: PresetIndex[Preset]) -> dict[str, list[int]]:
    return {name: list(entry.value.schedules) if entry.value else [] for name, entry in index.entries().items()}


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path):
    read = Reads()
    index = PresetIndex(lambda: [tmp_path], read)
    save_preset(tmp_path / "a.safetensors", preset(5))
    save_preset(tmp_path / "b.safetensors", preset(6))
    assert steps_of(index) == steps_of(index) == {"a": [5], "b": [6]}
    assert sorted(read.paths) == ["a.safetensors", "b.safetensors"]
    save_preset(tmp_path / "a.safetensors", preset(7), overwrite=True)
    assert steps_of(index) == {"a": [7], "b": [6]}
    assert len(read.paths) == 3


def test_a_file_written_over_in_place_with_its_time_put_back_is_read_again(tmp_path):
    path = tmp_path / "a.safetensors"
    save_preset(path, preset(5))
    aged(path)
    index = PresetIndex(lambda: [tmp_path], load_preset)
    assert steps_of(index) == {"a": [5]}
    time.sleep(0.02)  # the clock of a file system ticks in hundredths
    save_preset(tmp_path / "b.safetensors", preset(7))
    path.write_bytes((tmp_path / "b.safetensors").read_bytes())
    aged(path)
    assert steps_of(index) == {"a": [7], "b": [7]}


def test_files_that_come_and_go_and_move_are_followed(tmp_path):
    index = PresetIndex(lambda: [tmp_path], load_preset)
    assert index.entries() == {}
    save_preset(tmp_path / "sub" / "a.safetensors", preset())
    assert list(index.entries()) == ["sub/a"]
    time.sleep(0.02)
    (tmp_path / "sub").rename(tmp_path / "other")
    assert list(index.entries()) == index.names() == ["other/a"]
    time.sleep(0.02)
    (tmp_path / "other" / "a.safetensors").unlink()
    assert index.entries() == {}


def test_a_change_within_the_tick_of_a_clock_is_not_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_folder, "YOUNG_NS", 2 * 10**9)
    index = PresetIndex(lambda: [tmp_path], load_preset)
    for number in range(20):
        (tmp_path / f"{number}.safetensors").touch()
        assert len(index.names()) == number + 1


def test_what_cannot_be_used_says_why_without_a_path(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    problems = {name: entry.problem for name, entry in PresetIndex(lambda: [tmp_path], load_preset).entries().items()}
    assert problems["broken"].startswith("broken.safetensors: ")
    assert problems["gone"] == "gone.safetensors: does not exist"
    assert not any(str(tmp_path) in problem for problem in problems.values())


@pytest.mark.slow
def test_an_answer_for_ten_thousand_unchanged_presets_costs_little_more_than_asking_for_their_dates(tmp_path):
    data = save_preset(tmp_path / "0.safetensors", preset()).read_bytes()
    for number in range(1, 10_000):
        folder = tmp_path / str(number % 20)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.safetensors").write_bytes(data)
    index = PresetIndex(lambda: [tmp_path], lambda path: path.name)
    assert len(index.entries()) == len(index.names()) == 10_000
    paths = [str(path) for path in tmp_path.rglob("*.safetensors")]

    def dates() -> None:
        for path in paths:
            os.stat(path)

    assert cost(index.entries, dates) < 2.5
    assert cost(index.names, dates) < 0.5


@pytest.mark.slow
def test_the_best_of_ten_thousand_presets_costs_a_few_looks_at_each():
    known = {str(number): preset(5 + number % 7, f"{number}.safetensors") for number in range(2_000)}
    many = {f"{copy}/{name}": one for copy in range(5) for name, one in known.items()}
    running = preset(checkpoint="77.safetensors").model
    match = best_match(many, running, sampler="euler", steps=5)
    assert match is not None
    assert match.name == "0/77"
    assert cost(lambda: best_match(many, running, sampler="euler", steps=5), lambda: looked_at(many)) < 8


def looked_at(many: dict[str, Preset]) -> int:
    return sum(one.model.checkpoint == "77.safetensors" for one in many.values())
