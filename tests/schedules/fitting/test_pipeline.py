"""From the reference to the report, where several samplers compete."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.presets.made import HowMade

from .fits import Timed, mixture, normal, range_of, small_fit

CHOICE = ["dpmpp_2m", "ipndm", "euler"]


@pytest.mark.slow
def test_the_chosen_sampler_has_the_smallest_error_and_the_report_compares_all():
    found = small_fit(mixture(), normal(12), steps=(8,), sampler=CHOICE)
    said = next(note for note in found.report.notes if note.startswith("Each sampler"))
    assert f"{found.sampler} 1.00x" in said
    assert all(name in said for name in CHOICE)
    assert found.sampler != "euler"
    assert found.made == HowMade(chosen_among=tuple(CHOICE), more=found.made.more)
    assert found.made.more.keys() <= {"gain"}


@pytest.mark.slow
def test_each_of_several_samplers_gets_what_it_would_get_alone():
    alone = small_fit(mixture(), normal(12), steps=(8,), sampler="dpmpp_2m")
    among = small_fit(mixture(), normal(12), steps=(8,), sampler=["dpmpp_2m", "euler"])
    assert among.sampler == "dpmpp_2m"
    assert among.schedules[8].tolist() == pytest.approx(alone.schedules[8].tolist(), rel=0.02)


def test_a_choice_that_runs_out_of_time_says_which_samplers_were_not_reached(monkeypatch):
    found = Timed().fit(monkeypatch, minutes=1.0, steps=(6,), sampler=CHOICE)
    assert found.sampler == "dpmpp_2m"
    assert "euler not reached" in str(found.report)
    assert "nan" not in str(found.report)
    assert "no time to fit" not in str(found.report)


@pytest.mark.slow
def test_a_journal_changes_nothing_of_a_choice_among_samplers(tmp_path):
    options = {"steps": (5, 6), "sampler": ["dpmpp_2m", "deis", "ipndm"]}
    without, journalled = (small_fit(mixture(), normal(8), journal=path, **options) for path in (None, tmp_path / "j"))
    assert journalled.nfe == without.nfe + 1.0  # the probe
    assert str(journalled.report) == str(without.report)
    for steps in (5, 6):
        assert torch.equal(journalled.schedules[steps], without.schedules[steps])


def generator(x, sigma, **_):
    """Gives from any state of its path the image that the path ends in, as a model distilled to one step does."""
    level, deviation, top = sigma.reshape(-1, *[1] * (x.ndim - 1)), 0.5, range_of(False).sigma_max
    return x * deviation / (deviation + level * (1.0 - deviation / top))


def test_a_model_whose_first_output_is_the_image_is_said_to_look_distilled():
    notes = " ".join(small_fit(generator, normal(12), steps=(5,)).report.notes)
    assert "first output from pure noise is already near the end (0.00" in notes


@pytest.mark.parametrize("flow", [False, True])
def test_an_ordinary_model_is_not(flow):
    notes = " ".join(small_fit(mixture(flow), normal(12), steps=(5,), flow=flow).report.notes)
    assert "first output" not in notes


def test_a_host_s_list_that_starts_a_rounding_above_one_is_returned_from_one():
    def stock(steps):
        return torch.cat([torch.tensor([1.0 + 1.2e-7]), torch.linspace(1.0, 0.0, steps + 1)[1:]])

    def rough(x, sigma, **_):
        return torch.sin(60.0 * x)

    fit = small_fit(rough, normal(6), steps=(5,), flow=True, baselines={"stock": stock})
    assert fit.report.rows[5].chosen == "stock"
    assert float(fit.schedules[5][0]) == 1.0
    assert float(fit.to_preset().schedules[5][0]) == 1.0
