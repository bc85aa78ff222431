"""What a fit may say of its gain: few rows are not believed alone, many are."""

from __future__ import annotations

import math

import pytest
import torch
from sigmasmith.schedules.core.metrics import Ratio
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.fitting.claims import GAIN, claimed_gain, gain_facts, gain_in_words, told_gain
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.preset import Preset

FITTED, STEPS = "sigmasmith_multistep", 5
MODEL = ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False)


def errors(gain, rows, spread=0.3, seed=0):
    draw = torch.randn(rows, generator=torch.Generator().manual_seed(seed)) * spread
    return torch.full((rows,), 0.01), 0.01 * gain * draw.exp()


def test_many_rows_are_believed():
    fitted, host = errors(3.0, 400)
    gain = claimed_gain(fitted, host, FITTED, STEPS)
    assert gain.mean == pytest.approx(3.0, rel=0.06)
    assert gain.high / gain.low < 1.15


def test_two_lucky_rows_are_not():
    fitted, host = errors(8.0, 2, spread=0.0)
    gain = claimed_gain(fitted, host, "dpmpp_2m", STEPS)
    assert gain.mean < 4.0
    assert gain.low < gain.mean < gain.high


def test_the_same_two_rows_are_believed_the_more_the_more_steps_there_are():
    fitted, host = errors(4.0, 2, spread=0.0)
    at_5, at_10, at_20 = (claimed_gain(fitted, host, FITTED, steps).mean for steps in (5, 10, 20))
    assert at_5 < at_10 == pytest.approx(4.0, rel=0.1)
    assert at_10 < at_20 < 4.0
    assert claimed_gain(fitted, host, FITTED, 2).mean == claimed_gain(fitted, host, FITTED, 4).mean


def test_a_gain_far_beyond_those_of_other_models_is_pulled_no_more_than_a_near_one():
    for gain, pull in ((3.0, 1.08), (20.0, 1.06)):
        fitted, host = errors(gain, 4, spread=0.0)
        assert gain / claimed_gain(fitted, host, FITTED, STEPS).mean == pytest.approx(pull, abs=0.01)


def test_a_gain_is_of_errors_without_the_reference_s_own():
    reference = 0.004
    fitted, host = errors(10.0, 4)
    first, second = ((own.square() + reference**2).sqrt() for own in (fitted / 2.0, host / 2.0))
    alone = claimed_gain(first, second, FITTED, 8)
    gain = claimed_gain(first, second, FITTED, 8, reference)
    assert alone.mean < gain.mean < 10.0
    assert gain.low < 10.0 < gain.high


def test_two_errors_below_the_reference_s_own_show_no_gain_and_exclude_none():
    fitted, host = errors(4.0, 4)
    gain = claimed_gain(fitted, host, FITTED, STEPS, 0.1)
    assert gain.low < 1.0
    assert gain.high > 4.0


def test_a_loss_on_many_rows_is_called_one():
    fitted, host = errors(0.8, 200)
    gain = claimed_gain(fitted, host, FITTED, STEPS)
    assert gain.high < 1.0
    assert gain_in_words(gain).startswith("no gain shown")


def test_an_interval_that_holds_1_shows_no_gain():
    fitted, host = errors(1.05, 4)
    assert gain_in_words(claimed_gain(fitted, host, "euler", STEPS)).startswith("no gain shown")


def test_nine_of_ten_intervals_hold_the_truth_where_models_are_as_assumed():
    usual, chi2 = math.log(0.35 * STEPS), torch.distributions.Chi2(8.0)
    held, below = 0, 0
    torch.manual_seed(0)
    for seed in range(300):
        truth = math.exp(usual + 0.4 * float(torch.distributions.StudentT(4.0).sample()))
        fitted, host = errors(truth, 2, spread=0.36 * math.sqrt(8.0 / float(chi2.sample())), seed=seed)
        gain = claimed_gain(fitted, host, FITTED, STEPS)
        held += gain.low <= truth <= gain.high
        below += gain.mean < truth
    assert 255 <= held <= 285
    assert 130 <= below <= 170


def test_a_preset_keeps_the_gain_with_its_interval_and_tells_it_in_the_report_s_words():
    gain = Ratio(1.8, 1.2, 2.7)
    made = HowMade(more={GAIN: {"5": gain_facts(gain)}})
    preset = Preset(schedules={5: karras_sigmas(5, 0.03, 14.6)}, model=MODEL, sampler="dpmpp_2m", made=made)
    assert told_gain(preset, 5) == gain_in_words(gain)
    assert told_gain(preset, 8) == ""


@pytest.mark.parametrize("facts", [3, {"5": 1.2}, {"5": [1.0, 2.0]}, {"5": ["a", "b", "c"]}])
def test_a_gain_that_another_tool_wrote_otherwise_is_not_told(facts: object):
    preset = Preset(
        schedules={5: karras_sigmas(5, 0.03, 14.6)}, model=MODEL, sampler="dpmpp_2m", made=HowMade(more={GAIN: facts})
    )
    assert told_gain(preset, 5) == ""
