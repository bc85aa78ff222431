"""The report in words: what was returned, what was better, what was not compared."""

from __future__ import annotations

import math

import pytest
import torch
from sigmasmith.schedules.core.metrics import Ratio
from sigmasmith.schedules.fitting.claims import claimed_gain
from sigmasmith.schedules.fitting.report import FAMILY, FITTED, Report, StepReport

WON = StepReport(5, {FITTED: 0.01, "simple": 0.05, "karras": 0.02}, {FITTED: 0}, FITTED, Ratio(1.8, 1.3, 2.5))
LOST = StepReport(8, {FITTED: 0.03, "simple": 0.05, "karras": 0.02}, {FITTED: 1, "karras": 1}, "karras")


def words(*rows: StepReport, **options) -> str:
    return str(Report({row.steps: row for row in rows}, 4, 16, 0.001, **options))


def test_the_best_host_is_the_one_with_the_smallest_error():
    assert WON.best_host == "karras"
    assert StepReport(5, {FITTED: 0.01}, {}, FITTED).best_host is None


def test_every_step_count_has_a_line_with_what_is_returned_and_its_gain():
    lines = words(LOST, WON).splitlines()
    assert lines[1].split() == ["5", "fitted", "0.01000", "karras", "0.02000", "1.80x", "(1.30", "to", "2.50)"]
    assert lines[2].split() == ["8", "karras", "0.02000", "karras", "0.02000", "none"]


def test_a_gain_that_may_be_none_is_called_that():
    row = StepReport(5, {FITTED: 0.01, "karras": 0.011}, {}, FITTED, Ratio(1.08, 0.9, 1.3))
    assert "no gain shown, 1.08x (0.90 to 1.30)" in words(row)


def test_a_best_host_schedule_is_only_spoken_of_where_all_were_compared():
    assert "best host schedule" in words(WON)
    assert "best of those compared" in words(WON, skipped=("beta",))


def test_a_family_that_refinement_did_not_beat_is_returned_and_said():
    row = StepReport(5, {FITTED: 0.03, FAMILY: 0.02, "karras": 0.05}, {}, FAMILY)
    assert "nothing was gained beyond the family" in words(row)
    assert row.for_preset() == (FITTED, {FITTED: 0.02, "karras": 0.05})


def test_a_host_that_won_is_named_in_a_sentence():
    text = words(WON, LOST)
    assert "At 8 steps the host's karras was better than the fit, so it is returned." in text
    assert "At 5 steps the host's" not in text


def test_a_host_with_the_smaller_mean_that_lost_on_most_samples_is_mentioned():
    row = StepReport(5, {FITTED: 0.03, "karras": 0.02}, {}, FITTED)
    assert "At 5 steps the host's karras had the smaller mean error" in words(row)


def test_mode_switches_of_what_is_returned_are_told_apart():
    assert "At 8 steps 1 of 4 held-out samples ended in another image" in words(LOST)
    assert "another image" not in words(WON)


def test_held_out_rows_skipped_hosts_and_notes_are_said():
    text = words(WON, skipped=("beta", "normal"), notes=("Something else.",))
    assert "4 of 16 samples, held out" in text
    assert "Not compared at this effort: beta, normal." in text
    assert text.endswith("Something else.")


def test_a_count_without_any_host_has_a_line():
    assert "none compared" in words(StepReport(5, {FITTED: 0.01}, {}, FITTED))


def test_a_loaded_report_without_rows_is_only_its_notes():
    assert str(Report({}, 0, 0, math.nan, notes=("Loaded.",))) == "Loaded."


def test_little_gain_is_claimed_below_the_error_of_the_reference_and_it_is_said():
    fitted, host = torch.full((400,), 0.0487), torch.full((400,), 0.56)
    gain = claimed_gain(fitted, host, "euler", 8, 0.17)
    assert gain.mean == pytest.approx(4.44, rel=0.02)  # (.56^2 - .17^2)^(1/2) / (.17^2 / 2)^(1/2), not 11.5
    row = StepReport(5, {FITTED: 0.0487, "simple": 0.56}, {}, FITTED, gain)
    text = str(Report({5: row}, 4, 16, 0.5, reference_error=0.17))
    assert "The reference is itself only known to about 0.17 (with fewer levels it ends 0.5 away)" in text
    nothing = claimed_gain(fitted / 5, host / 5, "euler", 8, 0.2)
    assert nothing.mean == pytest.approx(1.0, rel=0.02)


def test_a_reference_that_is_known_well_enough_is_no_news():
    assert "The reference is itself" not in words(WON)
    assert "The reference is itself" not in str(Report({5: WON}, 4, 16, math.nan))


@pytest.mark.parametrize(
    ("worth", "seconds", "said"),
    [
        (9.6, 0.0, "5 fitted steps end as near as about 9 of simple."),
        (9.6, 2.0, "5 fitted steps end as near as about 9 of simple, which saves 9 seconds an image here."),
        (20.0, 0.1, "5 fitted steps end as near as more than 20 of simple, which saves 2 seconds an image here."),
    ],
)
def test_it_says_how_many_steps_of_simple_the_fit_replaces(worth, seconds, said):
    row = StepReport(5, {FITTED: 0.01, "simple": 0.05}, {}, FITTED, worth=worth)
    assert said in str(Report({5: row}, 4, 16, 0.0, seconds_a_call=seconds))


@pytest.mark.parametrize("worth", [None, 5.0, 5.5])
def test_a_fit_that_replaces_no_step_more_says_nothing_of_it(worth):
    row = StepReport(5, {FITTED: 0.01, "simple": 0.05}, {}, FITTED, worth=worth)
    assert "end as near" not in str(Report({5: row}, 4, 16, 0.0))
