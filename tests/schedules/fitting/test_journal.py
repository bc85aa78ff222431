"""Records of an unfinished fit: exact, whole or absent, and never those of another fit or of another model."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.fitting import journal as module
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.journal import Journal, Records
from sigmasmith.schedules.fitting.record_file import MAGIC

from .fits import mixture, normal

ANSWER = torch.linspace(1.0, 2.0, 6, dtype=torch.float64).reshape(1, 6)


@pytest.fixture
def slow_calls(monkeypatch):
    """Every call counts as slow enough to be recorded."""
    monkeypatch.setattr(module, "_SLOW_CALL_SECONDS", 0.0)


class Interrupted(Exception):  # noqa: N818 (a person's act, no error)
    pass


class Counting:
    """A denoiser that counts the rows it is asked for, and stops after some calls."""

    def __init__(self, stop_after: int | None = None, model=None) -> None:
        self.rows = 0
        self.calls = 0
        self.stop_after = stop_after
        self.model = model or mixture()

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise Interrupted
        self.calls += 1
        self.rows += len(x)
        return self.model(x, sigma)


def fit(denoiser, folder=None, noise=None, **settings):
    noise = normal(8) if noise is None else noise
    known = {"sigma_min": 0.0292, "sigma_max": 14.6146, "steps": (4, 6), "effort": "fast", "journal": folder}
    return calibrate(denoiser, noise, **(known | settings))


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


def test_a_folder_that_cannot_be_made_is_said_once_and_the_fit_goes_on(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    said, whole = [], fit(mixture())
    with Records(tmp_path / "file" / "fit", warn=said.append) as records:
        done = fit(mixture(), records)
        records.clear()
    assert all(torch.equal(done.schedules[k], whole.schedules[k]) for k in (4, 6))
    assert len(said) == 1
    assert "cannot be recorded (Not a directory)" in said[0]


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
@pytest.mark.parametrize("stop_after", [10, 47, 90, 150])
def test_an_interrupted_fit_goes_on_and_ends_the_same(tmp_path, slow_calls, stop_after):
    whole = fit(mixture())
    with pytest.raises(Interrupted):
        fit(Counting(stop_after), tmp_path / "fit")
    rest = Counting()
    resumed = fit(rest, tmp_path / "fit")
    assert all(torch.equal(resumed.schedules[k], whole.schedules[k]) for k in (4, 6))
    asked_anew = 2 * 8 + 2 * 8  # of the probe, and of the self-test as far as it came
    assert rest.rows < whole.nfe * 8 + asked_anew - 0.5 * 6 * stop_after  # most of what was done is not done again
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize("remembering", [False, True])
def test_the_self_test_of_an_interrupted_fit_is_not_made_again(tmp_path, slow_calls, remembering):
    def model():
        """With a memory of its run: what it answers depends on the level before."""
        last = torch.zeros(())

        def denoiser(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            nonlocal last
            last = sigma[0] if sigma[0] > last or not remembering else 0.5 * (last + sigma[0])
            return mixture()(x, sigma) * (1.0 + 0.1 * (last - sigma[0]) / (1.0 + last))

        return denoiser

    whole, tested = fit(model()), []
    with pytest.raises(Interrupted):
        fit(Counting(60, model()), tmp_path / "fit")
    resumed = fit(Counting(model=model()), tmp_path / "fit", progress=lambda done, total, said: tested.append(said))
    assert "self-test" not in tested
    assert ("every run was made whole" in str(resumed.report)) is remembering
    assert torch.equal(resumed.schedules[4], whole.schedules[4])
    assert str(resumed.report) == str(whole.report)


def test_another_noise_or_sampler_starts_over(tmp_path, slow_calls):
    with pytest.raises(Interrupted):
        fit(Counting(60), tmp_path / "fit")
    for changed in ({"noise": normal(8) + 0.1}, {"sampler": "euler"}, {"steps": (5,)}):
        again, fresh = Counting(), Counting()
        fit(again, tmp_path / "fit", **changed)
        fit(fresh, tmp_path / "other", **changed)
        assert again.rows == fresh.rows


@pytest.mark.parametrize("cfg", [1.05, 3.0])
def test_another_model_starts_over_and_leaves_the_first_ones_records(tmp_path, slow_calls, cfg):
    with pytest.raises(Interrupted):
        fit(Counting(60), tmp_path / "fit")
    labels = torch.zeros(8, dtype=torch.long)

    def other(x, sigma):
        return mixture(cfg=cfg)(x, sigma, labels=labels[: len(x)])

    again, fresh = Counting(model=other), Counting(model=other)
    second = fit(again, tmp_path / "fit")
    clean = fit(fresh, tmp_path / "other")
    assert again.rows == fresh.rows
    assert all(torch.equal(second.schedules[k], clean.schedules[k]) for k in (4, 6))
    rest = Counting()
    fit(rest, tmp_path / "fit")
    assert rest.rows < fresh.rows - 0.5 * 6 * 60
    assert not (tmp_path / "fit").exists()


def test_another_function_of_the_same_samplers_name_starts_over(tmp_path, slow_calls):
    def variant(power):
        def sample_mine(model, x, sigmas, extra_args=None, callback=None, disable=None):
            for sigma, lower in pairwise(sigmas):
                denoised = model(x, sigma * x.new_ones([len(x)]))
                x = denoised + (lower / sigma) ** power * (x - denoised)
            return x

        return sample_mine

    with pytest.raises(Interrupted):
        fit(Counting(120), tmp_path / "fit", sampler=variant(1.0))
    done, clean = (fit(mixture(), tmp_path / name, sampler=variant(1.1)) for name in ("fit", "other"))
    assert all(torch.equal(done.schedules[k], clean.schedules[k]) for k in (4, 6))
    assert done.nfe == clean.nfe


def test_the_probe_costs_one_call_and_decides_nothing(tmp_path):
    bare, recorded = Counting(), Counting()
    without, with_records = fit(bare), fit(recorded, tmp_path / "fit")
    assert recorded.rows == bare.rows + 8
    assert with_records.nfe == without.nfe + 1.0
    assert all(torch.equal(without.schedules[k], with_records.schedules[k]) for k in (4, 6))


def test_times_of_earlier_parts_are_added(tmp_path, slow_calls, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def model(x, sigma):
        now[0] += 1.0
        return mixture()(x, sigma)

    whole = fit(Counting(model=model), tmp_path / "whole").seconds
    for _ in range(2):
        with pytest.raises(Interrupted):
            fit(Counting(70, model=model), tmp_path / "fit")
    rest = Counting(model=model)
    resumed = fit(rest, tmp_path / "fit")
    assert rest.calls < whole - 100
    # More by what every part asks anew: self-test, probe, whether rows may run apart, outputs that records leave out.
    assert whole <= resumed.seconds <= whole + 30


def test_a_result_that_could_not_be_saved_keeps_its_records(tmp_path):
    with Records(tmp_path / "fit") as records:
        whole = fit(mixture(), records)
    rest = Counting()
    with Records(tmp_path / "fit") as records:
        resumed = fit(rest, records)
        records.clear()
    assert all(torch.equal(resumed.schedules[k], whole.schedules[k]) for k in (4, 6))
    assert rest.calls < 20  # of 230: the probe, whether rows may run apart, outputs that records leave out
    assert not (tmp_path / "fit").exists()


def test_a_nan_from_the_model_is_not_recorded(tmp_path, slow_calls):
    def broken(x, sigma):
        return mixture()(x, sigma) * float("nan")

    with pytest.raises(ModelError):
        fit(broken, tmp_path / "fit")
    assert not (tmp_path / "fit").exists() or not list((tmp_path / "fit").iterdir())
