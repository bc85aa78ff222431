"""Records that nobody goes on with are removed: old ones, the oldest of too many, and nothing that is not ours."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sigmasmith.schedules.fitting import record_folder as module
from sigmasmith.schedules.fitting.record_file import HeldFile
from sigmasmith.schedules.fitting.record_folder import MAX_AGE_DAYS, prune_records

DAY, NOW = 86_400.0, 2e9
FOLDERS = {age: f"{age:032x}" for age in (0, 1, 10, 29, 31, 400)}


def write(path: Path, age: float, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (NOW - age * DAY, NOW - age * DAY))
    return path


@pytest.fixture
def root(tmp_path):
    """One unfinished fit of every age, of ten bytes each."""
    for age, name in FOLDERS.items():
        write(tmp_path / "unfinished" / name / f"{age:032x}.safetensors", age)
    return tmp_path / "unfinished"


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_records_older_than_the_limit_are_removed_with_their_folder(root):
    removed = prune_records(root, now=NOW)
    assert set(removed) == {FOLDERS[31], FOLDERS[400]}
    assert names(root) == {FOLDERS[age] for age in (0, 1, 10, 29)}
    assert 29 < MAX_AGE_DAYS < 31


def test_a_fit_is_as_old_as_its_newest_record(root):
    write(root / FOLDERS[400] / f"{7:032x}-3.safetensors", 2)
    assert FOLDERS[400] not in prune_records(root, now=NOW)


def test_the_fit_that_is_about_to_go_on_is_kept_whatever_its_age(root):
    assert prune_records(root, keep=FOLDERS[400], now=NOW) == [FOLDERS[31]]


def test_of_too_many_bytes_the_oldest_go(root, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 25)
    prune_records(root, now=NOW)
    assert names(root) == {FOLDERS[0], FOLDERS[1]}


def test_nothing_that_is_not_ours_is_touched(root, tmp_path):
    outside = write(tmp_path / "outside" / f"{1:032x}.safetensors", 999)
    (root / f"{5:032x}").symlink_to(outside.parent, target_is_directory=True)
    kept = [
        outside,
        write(root / "notes" / f"{1:032x}.safetensors", 999),
        write(root / f"{2:032x}.safetensors", 999),
        write(root / FOLDERS[400] / "notes.txt", 999),
        write(root / FOLDERS[400] / "model.safetensors", 999),
        write(root / FOLDERS[400] / "deeper" / f"{1:032x}.safetensors", 999),
    ]
    prune_records(root, now=NOW)
    assert all(path.is_file() for path in kept)
    assert not (root / FOLDERS[400] / f"{400:032x}.safetensors").exists()
    assert (root / f"{5:032x}").is_symlink()


def test_a_set_that_a_running_fit_holds_stays_whatever_its_age(root):
    (head,) = [write(root / FOLDERS[400] / "0123abcd.head", 400)]
    held = HeldFile.take(head)
    assert held is not None
    assert FOLDERS[400] not in prune_records(root, now=NOW)
    held.close()
    assert FOLDERS[400] in prune_records(root, now=NOW)


def test_a_folder_touched_within_the_hour_stays_however_many_bytes_there_are(root, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 0)
    write(root / FOLDERS[10] / f"{7:032x}.safetensors", 0.5 / 24)
    assert set(prune_records(root, now=NOW)) == {FOLDERS[age] for age in (1, 29, 31, 400)}
    assert names(root) == {FOLDERS[0], FOLDERS[10]}


def test_a_new_and_still_empty_folder_of_another_fit_stays(tmp_path):
    (tmp_path / FOLDERS[0]).mkdir()
    assert prune_records(tmp_path) == []
    assert prune_records(tmp_path, now=time.time() + 31 * DAY) == [FOLDERS[0]]


def test_every_kind_of_file_of_a_set_is_removed(tmp_path):
    for name in ("0123abcd.head", f"0123abcd-{1:032x}.record", f"0123abcd-{1:032x}-7.record.89abcdef.part"):
        write(tmp_path / FOLDERS[0] / name, 31)
    os.utime(tmp_path / FOLDERS[0], (NOW - 31 * DAY, NOW - 31 * DAY))
    assert prune_records(tmp_path, now=NOW) == [FOLDERS[0]]
    assert names(tmp_path) == set()


def test_without_a_folder_there_is_nothing_to_do(tmp_path):
    assert prune_records(tmp_path / "missing", now=NOW) == []
