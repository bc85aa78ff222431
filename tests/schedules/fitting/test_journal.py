"""Records of an unfinished fit: exact, whole or absent, and never those of another fit or of another model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sigmasmith.schedules.fitting import journal as module
from sigmasmith.schedules.fitting.journal import Journal, Records
from sigmasmith.schedules.fitting.record_file import MAGIC

from .fits import mixture
from .recorded import fit

ANSWER = torch.linspace(1.0, 2.0, 6, dtype=torch.float64).reshape(1, 6)


def opened(folder: Path, identity: str = "a", answer: torch.Tensor = ANSWER, **settings) -> Journal:
    return Journal.open(folder, identity, answer, **settings)


def left_behind(folder: Path, identity: str = "a", answer: torch.Tensor = ANSWER, value: float = 1.0) -> str:
    """A set with one record, let go of; the record's key."""
    book = opened(folder, identity, answer)
    key = book.key("run", 1)
    book.write(key, {"end": torch.full((2,), value)})
    book.close()
    return key


def record_in(folder: Path) -> Path:
    (path,) = folder.glob("*.record")
    return path


def read_once(book: Journal, key: str) -> dict[str, torch.Tensor] | None:
    record = book.read(key)
    book.close()
    return record


def test_a_record_comes_back_bit_for_bit(tmp_path):
    book = opened(tmp_path / "fit")
    value = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    book.write(book.key("run", 1), {"end": value})
    book.close()
    record = read_once(opened(tmp_path / "fit"), book.key("run", 1))
    assert record is not None
    assert torch.equal(record["end"], value)


def test_another_fits_records_are_not_read(tmp_path):
    left_behind(tmp_path, "a")
    other = opened(tmp_path, "b")
    assert read_once(other, other.key("run", 1)) is None


@pytest.mark.parametrize("change", [1e-2, 1.0, -0.5])
def test_records_of_a_model_that_answers_otherwise_are_not_read_and_not_lost(tmp_path, change):
    key = left_behind(tmp_path)
    assert read_once(opened(tmp_path, answer=ANSWER * (1.0 + change)), key) is None
    assert read_once(opened(tmp_path), key) is not None


def test_an_answer_that_differs_by_rounding_is_the_same_models(tmp_path):
    key = left_behind(tmp_path)
    assert read_once(opened(tmp_path, answer=ANSWER.half().double()), key) is not None


def test_an_answer_of_other_length_is_another_models(tmp_path):
    key = left_behind(tmp_path)
    assert read_once(opened(tmp_path, answer=ANSWER[:, :5]), key) is None


def test_one_level_that_differs_is_enough_for_another_model(tmp_path):
    answers = torch.cat([ANSWER, 100.0 * ANSWER, ANSWER])
    key = left_behind(tmp_path, answer=answers)
    other = answers.clone()
    other[2] *= 1.01
    assert read_once(opened(tmp_path, answer=other), key) is None


@pytest.mark.parametrize("content", [b"", b"not a tensor file", b"\xff" * 64])
def test_a_damaged_record_is_as_if_it_were_not_there(tmp_path, content):
    key = left_behind(tmp_path)
    record_in(tmp_path).write_bytes(content)
    assert read_once(opened(tmp_path), key) is None
    assert not list(tmp_path.glob("*.record"))


def damaged(data: bytes) -> dict[str, bytes]:
    """One kind of damage each to the bytes of a record."""
    middle = len(data) - 4
    return {
        "zeroed body": data[:60] + bytes(len(data) - 60),
        "zeroed tail": data[:middle] + bytes(4),
        "cut": data[:-1],
        "longer": data + b"\0",
        "one bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "later version": data.replace(MAGIC, b"sigmasmith record 2\n"),
        "zeros": bytes(len(data)),
    }


@pytest.mark.parametrize("kind", sorted(damaged(bytes(100))))
def test_a_record_that_is_not_what_was_written_is_not_believed(tmp_path, kind):
    key = left_behind(tmp_path)
    path = record_in(tmp_path)
    path.write_bytes(damaged(path.read_bytes())[kind])
    assert read_once(opened(tmp_path), key) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_record_with_a_value_that_is_not_finite_is_not_believed(tmp_path, value):
    key = left_behind(tmp_path, value=value)
    assert read_once(opened(tmp_path), key) is None


@pytest.mark.parametrize("kind", sorted(damaged(bytes(100))))
def test_a_set_whose_head_cannot_be_read_is_left_alone(tmp_path, kind):
    key = left_behind(tmp_path)
    (head,) = tmp_path.glob("*.head")
    head.write_bytes(damaged(head.read_bytes())[kind])
    assert read_once(opened(tmp_path), key) is None
    assert head.exists()


def test_two_fits_in_one_folder_have_a_set_each(tmp_path):
    first, second = opened(tmp_path / "fit"), opened(tmp_path / "fit")
    key = first.key("run", 1)
    first.write(key, {"end": torch.zeros(1)})
    assert second.read(key) is None
    second.write(key, {"end": torch.ones(1)})
    first.clear()
    assert read_once(second, key) == {"end": torch.ones(1)}
    assert read_once(opened(tmp_path / "fit"), key) == {"end": torch.ones(1)}


HOLDS = """
import sys
from pathlib import Path
import torch
from sigmasmith.schedules.fitting.journal import Journal
answer = torch.linspace(1.0, 2.0, 6, dtype=torch.float64).reshape(1, 6)
book = Journal.open(Path(sys.argv[1]), "a", answer)
book.write(book.key("run", 1), {"end": torch.ones(1)})
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_lock_ends_with_its_process(tmp_path):
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        other = opened(tmp_path)
        key = other.key("run", 1)
        assert other.read(key) is None
        other.clear()
        process.kill()
    assert read_once(opened(tmp_path), key) is not None


def test_temporary_files_of_a_killed_process_are_removed(tmp_path):
    left_behind(tmp_path)
    part = record_in(tmp_path).with_suffix(".record.0123abcd.part")
    part.write_bytes(b"half")
    opened(tmp_path).close()
    assert not part.exists()


def test_clear_removes_the_folder_but_nobody_elses_files(tmp_path):
    book = opened(tmp_path / "fit")
    book.write(book.key("run"), {"end": torch.ones(1)})
    (tmp_path / "fit" / "note.txt").write_text("mine")
    book.clear()
    assert [path.name for path in (tmp_path / "fit").iterdir()] == ["note.txt"]


def test_a_folder_that_vanishes_is_said_once_and_stops_nothing(tmp_path):
    said = []
    book = opened(tmp_path / "fit", warn=said.append)
    for path in (tmp_path / "fit").iterdir():
        path.unlink()
    (tmp_path / "fit").rmdir()
    for number in range(3):
        book.write(book.key(number), {"end": torch.ones(1)})
    assert book.read(book.key(0)) is None
    book.clear()
    assert len(said) == 1
    assert "cannot be written (No such file or directory)" in said[0]


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_is_said_once_and_the_fit_goes_on(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    said, whole = [], fit(mixture())
    with Records(tmp_path / "file" / "fit", warn=said.append) as records:
        done = fit(mixture(), records)
        records.clear()
    assert all(torch.equal(done.schedules[k], whole.schedules[k]) for k in (4, 6))
    assert len(said) == 1
    assert "cannot be recorded (Not a directory)" in said[0]


@pytest.mark.slow
def test_a_disk_that_fills_up_is_said_once_and_the_fit_goes_on(tmp_path, monkeypatch):
    written, said, whole = [], [], fit(mixture())
    real = module.replace_in_one_piece

    def fills_up(path, data):
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        written.append(path)
        real(path, data)

    monkeypatch.setattr(module, "replace_in_one_piece", fills_up)
    monkeypatch.setattr(module, "_SLOW_CALL_SECONDS", float("inf"))  # on a busy machine a call may take long
    with Records(tmp_path / "fit", warn=said.append) as records:
        done = fit(mixture(), records)
    assert all(torch.equal(done.schedules[k], whole.schedules[k]) for k in (4, 6))
    assert said == [
        "The records of this fit cannot be written (No space left on device); the fit goes on, and would be resumed "
        "from here if it were interrupted."
    ]
    assert len(list((tmp_path / "fit").glob("*.record"))) == 5


def test_records_take_no_more_than_they_may(tmp_path):
    said = []
    with Records(tmp_path / "fit", most_bytes=200_000, warn=said.append) as records:
        fit(mixture(), records)
    assert 100_000 < sum(path.stat().st_size for path in (tmp_path / "fit").glob("*.record")) <= 200_000
    assert len(said) == 1
    assert "reached their limit of 1 MB" in said[0]


# The first five calls are the self-test's, which is made anew every time.
