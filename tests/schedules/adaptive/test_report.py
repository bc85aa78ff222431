"""What a run says about itself."""

from __future__ import annotations

from sigmasmith.schedules.adaptive.report import AdaptiveReport

from .models import mixture, run


def test_it_holds_what_happened_and_says_it():
    _, report = run(mixture(False), False, calls=9)
    assert (report.method, report.calls, report.accepted, report.rejected) == ("predictive", 9, [8] * 3, [0] * 3)
    text = report.in_words()
    assert "9 model calls for 3 images, method predictive." in text
    assert "Image 3: 8 steps, errors of " in text
    assert f"{report.sigmas[0][1]:.4g}" in text
    assert text.rstrip(".").endswith(" 0")


def test_steps_taken_back_are_said_and_a_large_batch_is_cut_short():
    report = AdaptiveReport()
    report.begin("embedded_2", 10, 5.0)
    report.rejected[0] = 2
    text = report.in_words()
    assert "2 taken back" in text
    assert "2 more images are not listed." in text
    assert "Image 9" not in text
    assert "allowed" not in text


def test_it_is_emptied_for_the_next_run():
    report = AdaptiveReport()
    for rows in (3, 1):
        report.begin("predictive", rows, 1.0)
        report.note_tolerance(0, 0.5)
        report.note_tolerance(0, float("inf"))
        report.note_tolerance(0, 0.1)
        assert len(report.sigmas) == rows
        assert report.tolerances[0] == (0.1, 0.5)
