"""`merge`: the union of preset folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sigmasmith.cli.main import main
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.file import load_preset, save_preset, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset

MODEL = ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False)
PLAIN = Preset(schedules={5: CURVES["karras"](5, 0.03, 14.6)}, sampler="euler", model=MODEL)
TOLD = replace(PLAIN, author="somebody", errors={5: {"fitted": 0.1, "simple": 0.2}}, guidance=5.0)
OTHER = replace(PLAIN, schedules={5: CURVES["laplace"](5, 0.03, 14.6)})


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    for name in "ab":
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b", tmp_path / "c"


def put(folder: Path, **presets: Preset) -> None:
    for name, preset in presets.items():
        save_preset(folder / f"{name}.safetensors", preset)


def merge(*folders: Path) -> int:
    *given, out = map(str, folders)
    try:
        return main(["merge", *given, "--out", out])
    except SystemExit as ended:
        return int(ended.code or 0)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_union_keeps_every_name_and_touches_nothing_else(folders, capsys):
    a, b, c = folders
    put(a, one=PLAIN, both=TOLD)
    put(b / "sub", two=OTHER)
    put(b, both=TOLD)
    (a / "readme.txt").write_text("mine")
    before = content(a), content(b)
    put(c, own=OTHER)
    (c / "notes.txt").write_text("theirs")
    assert merge(a, b, c) == 0
    assert (content(a), content(b)) == before
    assert set(content(c)) == {f"{name}.safetensors" for name in ("one", "both", "sub/two", "own")} | {"notes.txt"}
    assert content(c)["one.safetensors"] == to_bytes(PLAIN)
    assert "4 presets in" in capsys.readouterr().out


@pytest.mark.parametrize("turned", [False, True])
def test_of_equal_ones_the_better_documented_is_kept_whichever_comes_first(folders, turned):
    a, b, c = folders
    put(a, x=TOLD if turned else PLAIN)
    put(b, x=PLAIN if turned else TOLD)
    assert merge(a, b, c) == 0
    assert content(c) == {"x.safetensors": to_bytes(TOLD)}


def test_a_better_documented_one_takes_the_place_of_that_in_the_target_and_a_second_merge_changes_nothing(folders):
    a, b, c = folders
    put(a, x=TOLD)
    put(c, x=PLAIN)
    assert merge(a, b, c) == 0
    assert load_preset(c / "x.safetensors").author == "somebody"
    before = (c / "x.safetensors").stat().st_mtime_ns
    assert merge(a, b, c) == 0
    assert (c / "x.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (OTHER, "Their sigmas differ."),
        (replace(PLAIN, sampler="dpmpp_2m"), "Fitted for sampler euler, this run uses dpmpp_2m."),
        (replace(PLAIN, coefficients={5: torch.zeros(5, 3)}), "Their coefficients differ."),
        (replace(PLAIN, denoise=0.5), "Fitted for denoise 1, the other for 0.5."),
    ],
)
def test_different_ones_of_a_name_are_named_and_left_where_they_are(folders, capsys, other, sentence):
    a, b, c = folders
    put(a, x=replace(PLAIN, coefficients={5: torch.ones(5, 3)}), good=TOLD)
    put(b, x=other)
    assert merge(a, b, c) == 1
    said = capsys.readouterr().err
    assert f"x: {a / 'x.safetensors'} and {b / 'x.safetensors'} are different presets." in said
    assert sentence in said
    assert set(content(c)) == {"good.safetensors"}


def test_a_conflict_with_the_target_leaves_it_as_it_is(folders):
    a, b, c = folders
    put(a, x=TOLD)
    put(c, x=OTHER)
    assert merge(a, b, c) == 1
    assert content(c) == {"x.safetensors": to_bytes(OTHER)}


def test_names_that_are_one_file_on_some_system_and_broken_files_are_named(folders, capsys):
    a, b, c = folders
    put(a, Name=PLAIN)
    put(b, name=OTHER)
    (b / "broken.safetensors").write_bytes(b"nonsense")
    assert merge(a, b, c) == 1
    said = capsys.readouterr().err
    assert "differs only in case" in said
    assert "broken.safetensors cannot be used" in said
    assert len(content(c)) == 1


def test_a_folder_that_is_none_is_named(folders, capsys):
    a, _, c = folders
    assert merge(a, a / "nowhere", c) == 2
    assert "nowhere is no folder" in capsys.readouterr().err
