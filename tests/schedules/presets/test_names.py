"""Preset names: safe below one folder on every system."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.names import check_name, find_case_collision, preset_path


@pytest.mark.parametrize("name", ["a", "SDXL/portrait", "a.b", "flux 1.15", "конь", "a/b/c", "console", "~a", "a-(1)"])
def test_ordinary_names_pass(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty part"),
        ("/a", "absolute path"),
        ("//server/a", "absolute path"),
        ("C:/a", "Windows does not allow"),
        ("C:a", "Windows does not allow"),
        ("a:stream", "Windows does not allow"),
        ("a\\b", "backslash"),
        ("\\\\server\\a", "backslash"),
        ("..", "dot"),
        ("a/../b", "dot"),
        ("./a", "dot"),
        (".hidden", "dot"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a.", "dot or a space"),
        ("a /b", "dot or a space"),
        (" a", "dot or a space"),
        ("CON", "reserves"),
        ("nul", "reserves"),
        ("a/Com1.txt/b", "reserves"),
        ("LPT9 .x", "reserves"),
        ("COM\u00b9", "reserves"),
        ("conout$", "reserves"),
        ("a?", "Windows does not allow"),
        ("a|b", "Windows does not allow"),
        ("a\x00b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("a\x7fb", r"U\+007F"),
        ("a\u200bb", r"U\+200B"),
        ("a\u202eb", r"U\+202E"),
        ("a\ud800b", r"U\+D800"),
        ("a.safetensors", "must not end in .safetensors"),
        ("x" * 201, "201 characters"),
        ("\U0001f642" * 51, "more than 200 bytes"),
        (None, "must be a text"),
    ],
)
def test_names_that_are_unsafe_on_some_system_are_refused(name, said):
    with pytest.raises(PresetError, match=said):
        check_name(name)


def test_case_collision_is_found_and_the_same_name_is_none():
    assert find_case_collision("sdxl/A", ["x", "SDXL/a"]) == "SDXL/a"
    assert find_case_collision("sdxl/a", ["sdxl/a"]) is None
    assert find_case_collision("b", ["a"]) is None
    assert find_case_collision("caf\u00e9", ["cafe\u0301"]) == "cafe\u0301"


def test_path_of_a_name_lies_below_the_folder(tmp_path):
    assert preset_path(tmp_path, "SDXL/v1.5") == tmp_path.resolve() / "SDXL" / "v1.5.safetensors"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path)
    with pytest.raises(PresetError, match="leads out"):
        preset_path(tmp_path / "inside", "link/a")


@given(st.text(alphabet=st.sampled_from("ab./\\: ~CONcon\x00\u202e"), max_size=12))
def test_whatever_passes_stays_below_the_folder(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp()
    try:
        path = preset_path(folder, name)
    except PresetError:
        return
    assert path.resolve().is_relative_to(folder.resolve())
    assert path != folder
