"""The preset library over real folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from safetensors.torch import load, save
from sigmasmith.schedules.fitting.claims import GAIN
from sigmasmith.schedules.hosting.library import Library, LibraryError
from sigmasmith.schedules.hosting.library_card import count_sentence, gain, thumbnail
from sigmasmith.schedules.presets.file import from_bytes, load_preset, save_preset, to_bytes, workflow_of
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.metadata import preset_json
from sigmasmith.schedules.presets.share_code import to_share_code

from ...nodes.page.page_presets import FLUX, SD15, preset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "presets").mkdir()
    return tmp_path / "presets"


@pytest.fixture
def library(folder: Path) -> Library:
    return Library(lambda: [folder])


def names(library: Library, running: ModelIdentity | None = None) -> list[tuple[str, str]]:
    return [(card["name"], card["fit"]) for card in library.cards(running)]


def test_an_added_preset_is_listed_with_what_it_is(library, folder):
    mine = preset(author="Ada", licence="CC0-1.0", errors={8: {"fitted": 0.02, "karras": 0.05, "simple": 0.08}})
    assert library.add(mine) == "mine"
    (card,) = library.cards()
    assert (card["name"], card["steps"], card["sampler"], card["family"]) == ("mine", [5, 8, 10], "dpmpp_2m", "SD15")
    assert card["gains"] == [[8, "error 2.50x below karras"]]
    assert ["Author", "Ada"] in card["facts"]
    assert ["Licence", "CC0-1.0"] in card["facts"]
    assert card["changeable"]
    assert not card["workflow"]
    assert str(folder) not in json.dumps(card)


def test_a_count_is_told_with_the_gain_that_the_fit_claimed_and_where_its_list_comes_from():
    errors = {8: {"fitted": 0.02, "karras": 0.05, "simple": 0.08}, 10: {"fitted": 0.02, "karras": 0.01}}
    made = HowMade(more={GAIN: {"8": [1.8, 1.2, 2.7]}})
    mine = preset(errors=errors, origin={10: "karras"}, made=made)
    assert count_sentence(mine, 8) == "8 steps: fitted, 1.80x (1.20 to 2.70) beside karras"
    assert count_sentence(mine, 8, 4) == "4 steps: fitted, 1.80x (1.20 to 2.70) beside karras"
    assert count_sentence(mine, 10) == "10 steps: the host's karras was best"
    assert count_sentence(mine, 5) == "5 steps: fitted"
    assert count_sentence(mine, 7) == "7 steps: interpolated from 5, 8, 10 steps"
    assert count_sentence(mine, 20) == "20 steps: the host's karras, for no fit was better at 10 steps"
    assert count_sentence(preset(errors=errors), 8) == "8 steps: fitted, error 2.50x below karras"
    assert count_sentence(preset(), 20) == "20 steps: extended from 5, 8, 10 steps"


def test_presets_that_fit_the_running_model_come_first(library):
    other_weights = ModelIdentity(**{**vars(SD15), "checkpoint": "other.safetensors"})
    library.add(preset(model=FLUX, name="a flux"))
    library.add(preset(model=other_weights, name="b noise"))
    library.add(preset(name="c mine"))
    assert names(library, SD15) == [("c mine", "yes"), ("b noise", "noise"), ("a flux", "no")]
    assert [name for name, _ in names(library)] == ["a flux", "b noise", "c mine"]


def test_a_broken_file_is_listed_last_with_the_reason_and_can_be_deleted(library, folder):
    library.add(preset())
    (folder / "a broken one.safetensors").write_bytes(b"nonsense")
    cards = library.cards()
    assert [card["name"] for card in cards] == ["mine", "a broken one"]
    assert "too few" in cards[1]["problem"] or "header" in cards[1]["problem"]
    library.delete("a broken one")
    assert len(library.cards()) == 1


def test_a_changed_file_is_read_anew(library, folder):
    library.add(preset())
    assert library.cards()[0]["steps"] == [5, 8, 10]
    path = folder / "mine.safetensors"
    save_preset(path, preset((4, 6, 7, 9)), overwrite=True)
    assert library.cards()[0]["steps"] == [4, 6, 7, 9]


def test_the_same_preset_added_twice_is_one_file_and_another_gets_a_number(library):
    assert library.add(preset()) == "mine"
    assert library.add(preset()) == "mine"
    assert library.add(preset((4,))) == "mine 2"
    assert library.add(preset((6,))) == "mine 3"


def test_a_file_of_version_1_added_twice_is_one_file_and_keeps_the_facts_of_its_notes(library, folder):
    text = preset_json(preset(notes="Chosen among euler and deis."))
    data = save(load(to_bytes(preset())), {"sigmasmith": text})
    assert json.loads(text)["version"] == 1
    assert library.add_bytes(data) == ("mine", False)
    assert library.add_bytes(data) == ("mine", False)
    (card,) = library.cards()
    assert ["Notes", "Chosen among euler and deis."] in card["facts"]
    assert load_preset(folder / "mine.safetensors").made.chosen_among == ("euler", "deis")


def test_a_name_that_differs_in_case_only_gets_a_number_too(library):
    library.add(preset(name="Mine"))
    assert library.add(preset((4,), name="mine")) == "mine 2"


def test_a_share_code_is_added_under_its_name(library):
    assert library.add_code(to_share_code(preset())) == "mine"
    assert library.add_code(to_share_code(preset((4,), name=""))) == "shared preset"


def test_a_wrong_share_code_is_refused_with_the_reason(library):
    with pytest.raises(LibraryError, match="share code"):
        library.add_code("hello")
    assert library.cards() == []


def test_a_file_with_a_workflow_keeps_it_through_import_copy_and_rename(library, folder):
    data = to_bytes(preset(), '{"nodes":[]}')
    assert library.add_bytes(data) == ("mine", True)
    assert library.duplicate("mine") == "mine copy"
    library.rename("mine copy", "theirs")
    assert workflow_of((folder / "theirs.safetensors").read_bytes()) == '{"nodes":[]}'
    assert load_preset(folder / "theirs.safetensors").name == "theirs"


def test_export_embeds_a_workflow_only_where_one_is_given(library):
    library.add(preset())
    assert workflow_of(library.export("mine", None)) is None
    data = library.export("mine", '{"nodes":[]}')
    assert workflow_of(data) == '{"nodes":[]}'
    assert from_bytes(data).hash == preset().hash


def test_a_workflow_that_is_too_large_is_refused(library):
    library.add(preset())
    with pytest.raises(LibraryError, match="at most") as caught:
        library.export("mine", "x" * 5_000_000)
    assert caught.value.status == 413


def test_rename_refuses_a_taken_name_and_moves_into_folders(library, folder):
    library.add(preset())
    library.add(preset((4,), name="other"))
    with pytest.raises(LibraryError, match="already"):
        library.rename("mine", "other")
    assert library.rename("mine", "people/mine") == "people/mine"
    assert (folder / "people" / "mine.safetensors").is_file()
    assert not (folder / "mine.safetensors").exists()


def test_rename_may_change_only_the_case(library, folder):
    library.add(preset())
    assert library.rename("mine", "Mine") == "Mine"
    assert [path.name for path in folder.iterdir()] == ["Mine.safetensors"]


def test_rename_never_replaces_another_preset_that_differs_only_in_case(library, folder):
    save_preset(folder / "mine.safetensors", preset())
    (folder / "MINE.safetensors").write_bytes(to_bytes(preset((4,), name="MINE")))
    if len(list(folder.iterdir())) < 2:
        pytest.skip("this file system does not tell the two names apart")
    with pytest.raises(LibraryError, match="already"):
        library.rename("mine", "MINE")
    assert load_preset(folder / "MINE.safetensors").hash == preset((4,)).hash
    assert load_preset(folder / "mine.safetensors").hash == preset().hash


def test_rename_of_the_case_works_in_a_folder_that_is_a_link(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    library = Library(lambda: [link])
    library.add(preset())
    assert library.rename("mine", "Mine") == "Mine"
    assert [path.name for path in folder.iterdir()] == ["Mine.safetensors"]


def test_with_several_people_nothing_is_renamed_or_deleted(folder):
    library = Library(lambda: [folder], may_remove=False)
    library.add(preset())
    for change in (lambda: library.rename("mine", "yours"), lambda: library.delete("mine")):
        with pytest.raises(LibraryError, match="multi-user") as caught:
            change()
        assert caught.value.status == 403
    assert names(library) == [("mine", "unknown")]


def test_presets_of_further_folders_are_listed_and_never_changed(folder, tmp_path):
    extra = tmp_path / "extra"
    library = Library(lambda: [folder, extra])
    save_preset(extra / "sub" / "theirs.safetensors", preset(name="theirs"))
    library.add(preset())
    cards = {card["name"]: card["changeable"] for card in library.cards()}
    assert cards == {"mine": True, "sub/theirs": False}
    with pytest.raises(LibraryError, match="only read"):
        library.delete("sub/theirs")
    assert library.duplicate("sub/theirs") == "sub/theirs copy"
    assert (folder / "sub" / "theirs copy.safetensors").is_file()


HOSTILE_NAMES = [
    "",
    " ",
    ".",
    "..",
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "C:/windows",
    "\\\\server\\share",
    "..\\secret",
    "a//b",
    "con",
    "nul.x",
    "a\x00b",
    "a\nb",
    "\u202eevil",
    "\ud800",
    ".hidden",
    "x" * 500,
    "mine.safetensors",
    "a:stream",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_name_reaches_no_file(library, folder, tmp_path, name):
    outside = tmp_path / "secret.safetensors"
    save_preset(outside, preset())
    library.add(preset())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for ask in (
        lambda: library.preset(name),
        lambda: library.export(name, None),
        lambda: library.rename("mine", name),
        lambda: library.rename(name, "x"),
        lambda: library.delete(name),
        lambda: library.duplicate(name),
    ):
        with pytest.raises(LibraryError):
            ask()
    if name.strip():  # an empty one means the preset's own
        with pytest.raises(LibraryError):
            library.add(preset((4,)), name)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_nothing_is_written_or_removed_through_a_link(library, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    save_preset(outside / "theirs.safetensors", preset(name="theirs"))
    (folder / "sub").symlink_to(outside, target_is_directory=True)
    (folder / "link.safetensors").symlink_to(outside / "theirs.safetensors")
    before = (outside / "theirs.safetensors").read_bytes()
    for ask in (
        lambda: library.delete("sub/theirs"),
        lambda: library.delete("link"),
        lambda: library.rename("link", "mine"),
        lambda: library.rename("sub/theirs", "mine"),
        lambda: library.add(preset((4,)), "sub/new"),
    ):
        with pytest.raises(LibraryError):
            ask()
    assert [path.name for path in outside.iterdir()] == ["theirs.safetensors"]
    assert (outside / "theirs.safetensors").read_bytes() == before
    # A link that the owner has put there is followed to read, as the host follows it.
    assert library.preset("link").name == "theirs"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_in_a_circle_lists_every_preset_once(library, folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "again").symlink_to(folder, target_is_directory=True)
    library.add(preset())
    assert names(library) == [("mine", "unknown")]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_called_links_and_not_folders_that_are_only_read(library, folder, tmp_path):
    save_preset(folder / "real" / "own.safetensors", preset(name="own"))
    save_preset(tmp_path / "outside" / "theirs.safetensors", preset(name="theirs"))
    (folder / "inside").symlink_to(folder / "real", target_is_directory=True)
    (folder / "elsewhere").symlink_to(tmp_path / "outside", target_is_directory=True)
    (folder / "file.safetensors").symlink_to(tmp_path / "outside" / "theirs.safetensors")
    (folder / "gone.safetensors").symlink_to(tmp_path / "nowhere.safetensors")
    cards = {card["name"]: card for card in library.cards()}
    changeable = {name for name, card in cards.items() if card["changeable"]}
    assert changeable == {"inside/own", "real/own"}
    assert str(tmp_path) not in cards["gone"]["problem"]
    with pytest.raises(LibraryError, match="is a link to a file elsewhere"):
        library.delete("file")
    with pytest.raises(LibraryError, match="behind a link to a folder elsewhere"):
        library.delete("elsewhere/theirs")
    library.delete("inside/own")
    assert not (folder / "real" / "own.safetensors").exists()


def test_a_rename_of_the_case_on_a_full_disk_leaves_the_file_under_its_name(library, folder, monkeypatch):
    library.add(preset())
    before = (folder / "mine.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match=r"cannot be renamed.*No space left") as caught:
        library.rename("mine", "Mine")
    assert str(folder) not in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["mine.safetensors"]
    assert (folder / "mine.safetensors").read_bytes() == before


def test_a_folder_that_differs_in_case_only_is_the_same_folder(library, folder):
    library.add(preset(name="People/mine"))
    assert library.add(preset((4,), name="other")) == "other"
    for ask in (
        lambda: library.rename("People/mine", "people/yours"),
        lambda: library.add(preset((6,), name="people/theirs")),
    ):
        with pytest.raises(LibraryError, match="only in case from the folder People") as caught:
            ask()
        assert caught.value.status == 409
    assert sorted(path.name for path in folder.iterdir()) == ["People", "other.safetensors"]


def test_a_search_is_made_among_all_and_says_how_many_there_are(library):
    for number in range(12):
        library.add(preset(name=f"sheet {number:02}", author="Ada" if number % 2 else "Bob"))
    cards, found, total = library.searched(SD15, "", 5)
    assert ([card["name"][-2:] for card in cards], found, total) == (["00", "01", "02", "03", "04"], 12, 12)
    cards, found, total = library.searched(SD15, "ADA sheet", 4)
    assert ([card["name"][-2:] for card in cards], found, total) == (["01", "03", "05", "07"], 6, 12)
    assert library.searched(None, "nobody") == ([], 0, 12)


def test_hidden_files_and_other_suffixes_are_not_listed(library, folder):
    (folder / ".x.safetensors").write_bytes(b"")
    (folder / "note.txt").write_text("hello")
    assert library.cards() == []


def test_a_missing_folder_is_an_empty_library(tmp_path):
    library = Library(lambda: [tmp_path / "nowhere"])
    assert library.cards() == []
    assert library.add(preset()) == "mine"


def test_gain_tells_the_truth_where_there_is_none():
    won = preset((5,), origin={5: "beta"}, errors={5: {"beta": 0.1, "karras": 0.2}})
    assert gain(won, 5) == "no gain: beta was best"
    worse = preset((5,), errors={5: {"fitted": 0.2, "karras": 0.1}})
    assert gain(worse, 5) == "no gain over karras"
    assert gain(preset((5,)), 5) == ""


def test_a_thumbnail_falls_from_corner_to_corner():
    for counts in ((1,), (2,), (200,)):
        points = thumbnail(preset(counts).schedules[counts[0]])
        assert points[0] == [0.0, 0.0]
        assert points[-1] == [1.0, 1.0]
        assert points == sorted(points)
        assert len(points) <= 33
