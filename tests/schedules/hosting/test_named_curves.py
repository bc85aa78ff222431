"""The schedules by name: the family among them, moved from where it usually lies."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.named_curves import CURVE_PARAMETERS, CURVES

RANGES = [(0.0292, 14.6146, False), (0.003, 1.0, True), (0.002, 80.0, False)]


@pytest.mark.parametrize(("low", "high", "flow"), RANGES)
def test_the_family_by_name_is_the_family(low, high, flow):
    usual = family_schedule(6, sigma_min=low, sigma_max=high, flow=flow)
    assert torch.equal(CURVES["family"](6, low, high, flow=flow), usual.sigmas)


@pytest.mark.parametrize(("low", "high", "flow"), RANGES)
def test_a_scale_of_2_is_twice_the_usual_one(low, high, flow):
    usual = family_schedule(6, sigma_min=low, sigma_max=high, flow=flow)
    twice = family_schedule(6, sigma_min=low, sigma_max=high, flow=flow, scale=2 * usual.scale)
    assert torch.equal(CURVES["family"](6, low, high, flow=flow, scale=2.0), twice.sigmas)


def test_every_curve_has_its_knobs():
    assert set(CURVES) == set(CURVE_PARAMETERS)
