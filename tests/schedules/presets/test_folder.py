"""The walk over preset folders: what is listed, under which name, and how it ends in any folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from sigmasmith.schedules.presets import folder as preset_folder
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.folder import free_path, preset_file, preset_files

links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def put(folder: Path, *names: str) -> None:
    """Empty files below a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target, target_is_directory=target.is_dir())


def listed(*folders: Path) -> list[str]:
    """The names, after a look that each of them is found by itself too, at the same file."""
    files = preset_files(folders)
    for name, path in files.items():
        if path.is_file():
            assert preset_file(folders, name) == path
    return list(files)


def test_names_are_paths_below_the_folder_in_their_order(tmp_path):
    put(tmp_path, "b.safetensors", "a.safetensors", "SDXL/people/x.safetensors", "SDXL/a.b.safetensors")
    assert listed(tmp_path) == ["a", "b", "SDXL/a.b", "SDXL/people/x"]
    assert preset_files([tmp_path])["SDXL/people/x"] == tmp_path / "SDXL" / "people" / "x.safetensors"


def test_the_earlier_folder_hides_the_same_name_in_a_later_one(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    put(first, "both.safetensors")
    put(second, "both.safetensors", "more.safetensors")
    assert listed(first, second, first) == ["both", "more"]
    assert preset_file([first, second], "both") == first / "both.safetensors"
    assert preset_file([second, first], "both") == second / "both.safetensors"


def test_hidden_ones_other_suffixes_and_what_no_preset_can_be_called_are_left_out(tmp_path):
    put(tmp_path, ".a.safetensors", ".hidden/b.safetensors", "note.txt", "c.SAFETENSORS", "safetensors", ".safetensors")
    put(tmp_path, "ok.safetensors")
    if os.name != "nt":
        put(tmp_path, "con.safetensors", "a:b.safetensors", "end .safetensors", "x\ny.safetensors", "aux/c.safetensors")
        put(tmp_path, "d.safetensors.safetensors", "e\\f.safetensors", "\u202eg.safetensors")
    assert listed(tmp_path) == ["ok"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_that_is_no_text_is_left_out(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.safetensors")).touch()
    assert listed(tmp_path) == []


def test_names_that_differ_only_in_case_are_two_where_the_file_system_tells_them_apart(tmp_path):
    put(tmp_path, "Mine.safetensors", "mine.safetensors")
    names = sorted(path.name.removesuffix(".safetensors") for path in tmp_path.iterdir())
    assert listed(tmp_path) == names
    with pytest.raises(PresetError, match=r"the preset MINE differs only in case from '[Mm]ine\.safetensors'"):
        free_path(tmp_path, "MINE")
    put(tmp_path, "People/x.safetensors")
    with pytest.raises(PresetError, match="the preset people/y differs only in case from 'People'"):
        free_path(tmp_path, "people/y")
    assert free_path(tmp_path, "other/mine") == tmp_path / "other" / "mine.safetensors"


@links
def test_links_are_followed_to_read_out_of_the_folder_too_and_never_to_write(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    put(outside, "theirs.safetensors")
    link(inside / "folder", outside)
    link(inside / "file.safetensors", outside / "theirs.safetensors")
    link(tmp_path / "root", inside)
    for root in (inside, tmp_path / "root"):
        assert listed(root) == ["file", "folder/theirs"]
        for name in ("file", "folder/new"):
            with pytest.raises(PresetError, match="leads out of the preset folder"):
                free_path(root, name)


@links
def test_a_preset_keeps_its_own_name_beside_a_link_to_its_folder(tmp_path):
    put(tmp_path, "sdxl/x.safetensors")
    link(tmp_path / "favourites", tmp_path / "sdxl")
    assert listed(tmp_path) == ["favourites/x", "sdxl/x"]


@links
def test_links_in_a_circle_end(tmp_path):
    put(tmp_path, "sub/x.safetensors", "other/y.safetensors")
    link(tmp_path / "sub" / "again", tmp_path)
    link(tmp_path / "sub" / "self", tmp_path / "sub")
    link(tmp_path / "sub" / "other", tmp_path / "other")
    link(tmp_path / "other" / "sub", tmp_path / "sub")
    link(tmp_path / "endless.safetensors", tmp_path / "endless.safetensors")
    assert listed(tmp_path) == ["endless", "other/y", "other/sub/x", "sub/x", "sub/other/y"]


@links
def test_a_thicket_of_links_ends_too(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_folder, "MAX_FOLDERS", 300)
    put(tmp_path, "a.safetensors")
    for number in range(12):
        for other in range(12):
            if other != number:
                (tmp_path / f"d{other}").mkdir(exist_ok=True)
                link(tmp_path / f"d{number}" / f"d{other}", tmp_path / f"d{other}")
    assert listed(tmp_path) == ["a"]


@links
def test_a_link_to_nothing_is_listed_and_not_found(tmp_path):
    link(tmp_path / "gone.safetensors", tmp_path / "nowhere")
    assert listed(tmp_path) == ["gone"]
    assert preset_file([tmp_path], "gone") is None


def test_eight_folders_deep_is_listed_and_nine_is_not(tmp_path):
    put(tmp_path, "/".join("12345678") + "/a.safetensors", "/".join("123456789") + "/b.safetensors")
    assert listed(tmp_path) == ["1/2/3/4/5/6/7/8/a"]


def test_no_more_than_the_most_files_are_listed_over_all_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(preset_folder, "MAX_FILES", 5)
    put(tmp_path / "1", *(f"{number}.safetensors" for number in range(4)))
    put(tmp_path / "2", *(f"{number}.safetensors" for number in range(2, 9)))
    assert listed(tmp_path / "1", tmp_path / "2") == ["0", "1", "2", "3", "4"]


def test_a_folder_that_is_missing_or_a_file_holds_nothing(tmp_path):
    put(tmp_path, "file")
    assert listed(tmp_path / "none", tmp_path / "file") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_holds_nothing(tmp_path):
    put(tmp_path, "closed/a.safetensors", "open/b.safetensors")
    (tmp_path / "closed").chmod(0)
    try:
        assert listed(tmp_path) == ["open/b"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_cannot_be_read_holds_nothing(tmp_path, monkeypatch):
    put(tmp_path, "closed/a.safetensors", "open/b.safetensors")
    scandir = os.scandir

    def refusing(folder: str) -> Any:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(preset_folder.os, "scandir", refusing)
    assert listed(tmp_path) == ["open/b"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_folders_and_pipes_with_the_suffix_are_no_presets_to_find(tmp_path):
    put(tmp_path, "folder.safetensors/x.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert listed(tmp_path) == ["pipe", "folder.safetensors/x"]
    assert preset_file([tmp_path], "pipe") is None
    assert preset_file([tmp_path], "folder") is None


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a\\b", "", ".", "a//b", "CON", "a.safetensors", ".a"])
def test_a_name_that_no_preset_can_have_is_refused(tmp_path, name):
    with pytest.raises(PresetError, match="preset name"):
        preset_file([tmp_path], name)
