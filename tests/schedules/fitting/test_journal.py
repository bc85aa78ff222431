"""Records of an unfinished fit: exact, whole or absent, and never those of another fit."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.fitting import journal as module
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.journal import Journal

from .fits import mixture, normal


@pytest.fixture
def slow_calls(monkeypatch):
    """Every call counts as slow enough to be recorded."""
    monkeypatch.setattr(module, "_SLOW_CALL_SECONDS", 0.0)


class Interrupted(Exception):  # noqa: N818 (a person's act, no error)
    pass


class Counting:
    """A denoiser that counts the rows it is asked for, and stops after some calls."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows = 0
        self.calls = 0
        self.stop_after = stop_after

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise Interrupted
        self.calls += 1
        self.rows += len(x)
        return mixture()(x, sigma)


def fit(denoiser, folder=None, noise=None, **settings):
    noise = normal(8) if noise is None else noise
    known = {"sigma_min": 0.0292, "sigma_max": 14.6146, "steps": (4, 6), "effort": "fast", "journal": folder}
    return calibrate(denoiser, noise, **(known | settings))


def test_a_record_comes_back_bit_for_bit(tmp_path):
    book = Journal(tmp_path / "fit", "a")
    value = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    book.write(book.key("run", 1), {"end": value})
    found = Journal(tmp_path / "fit", "a").read(book.key("run", 1))
    assert found is not None
    assert torch.equal(found["end"], value)


def test_another_fits_records_are_not_read(tmp_path):
    book = Journal(tmp_path, "a")
    book.write(book.key("run", 1), {"end": torch.ones(1)})
    other = Journal(tmp_path, "b")
    assert other.read(other.key("run", 1)) is None


@pytest.mark.parametrize("content", [b"", b"not a tensor file", b"\xff" * 64])
def test_a_damaged_record_is_as_if_it_were_not_there(tmp_path, content):
    book = Journal(tmp_path, "a")
    (tmp_path / f"{book.key('run')}.safetensors").write_bytes(content)
    assert book.read(book.key("run")) is None
    assert not list(tmp_path.iterdir())


def test_clear_removes_the_folder_but_nobody_elses_files(tmp_path):
    book = Journal(tmp_path / "fit", "a")
    book.write(book.key("run"), {"end": torch.ones(1)})
    (tmp_path / "fit" / "note.txt").write_text("mine")
    book.clear()
    assert [path.name for path in (tmp_path / "fit").iterdir()] == ["note.txt"]


# The first five calls are the self-test's, which is made anew every time.
@pytest.mark.parametrize("stop_after", [10, 47, 90, 150])
def test_an_interrupted_fit_goes_on_and_ends_the_same(tmp_path, slow_calls, stop_after):
    whole = fit(mixture())
    with pytest.raises(Interrupted):
        fit(Counting(stop_after), tmp_path / "fit")
    rest = Counting()
    resumed = fit(rest, tmp_path / "fit")
    assert all(torch.equal(resumed.schedules[k], whole.schedules[k]) for k in (4, 6))
    assert rest.rows < whole.nfe * 8 - 0.5 * 6 * stop_after  # most of what was done is not done again
    assert not (tmp_path / "fit").exists()


def test_another_noise_or_sampler_starts_over(tmp_path, slow_calls):
    with pytest.raises(Interrupted):
        fit(Counting(60), tmp_path / "fit")
    for changed in ({"noise": normal(8) + 0.1}, {"sampler": "euler"}, {"steps": (5,)}):
        again, fresh = Counting(), Counting()
        fit(again, tmp_path / "fit", **changed)
        fit(fresh, tmp_path / "other", **changed)
        assert again.rows == fresh.rows


def test_a_nan_from_the_model_is_not_recorded(tmp_path, slow_calls):
    def broken(x, sigma):
        return mixture()(x, sigma) * float("nan")

    with pytest.raises(ModelError):
        fit(broken, tmp_path / "fit")
    assert not (tmp_path / "fit").exists() or not list((tmp_path / "fit").iterdir())
