"""A fit that was interrupted goes on from its records and ends as if it had not been; another one starts over."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.fitting import journal as module
from sigmasmith.schedules.fitting.journal import Records

from .fits import mixture, normal
from .recorded import Counting, Interrupted, fit, whole_fit


@pytest.mark.parametrize("stop_after", [10, 90, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (47, 150))])
def test_an_interrupted_fit_goes_on_and_ends_the_same(tmp_path, slow_calls, stop_after):
    whole = whole_fit()
    with pytest.raises(Interrupted):
        fit(Counting(stop_after), tmp_path / "fit")
    rest = Counting()
    resumed = fit(rest, tmp_path / "fit")
    assert all(torch.equal(resumed.schedules[k], whole.schedules[k]) for k in (4, 6))
    asked_anew = 2 * 8 + 2 * 8  # of the probe, and of the self-test as far as it came
    assert rest.rows < whole.nfe * 8 + asked_anew - 0.5 * 6 * stop_after  # most of what was done is not done again
    assert not (tmp_path / "fit").exists()


@pytest.mark.slow
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


@pytest.mark.slow
def test_another_noise_or_sampler_starts_over(tmp_path, slow_calls):
    with pytest.raises(Interrupted):
        fit(Counting(60), tmp_path / "fit")
    for changed in ({"noise": normal(8) + 0.1}, {"sampler": "euler"}, {"steps": (5,)}):
        again, fresh = Counting(), Counting()
        fit(again, tmp_path / "fit", **changed)
        fit(fresh, tmp_path / "other", **changed)
        assert again.rows == fresh.rows


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_probe_costs_one_call_and_decides_nothing(tmp_path):
    bare, recorded = Counting(), Counting()
    without, with_records = fit(bare), fit(recorded, tmp_path / "fit")
    assert recorded.rows == bare.rows + 8
    assert with_records.nfe == without.nfe + 1.0
    assert all(torch.equal(without.schedules[k], with_records.schedules[k]) for k in (4, 6))


@pytest.mark.slow
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


@pytest.mark.slow
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
