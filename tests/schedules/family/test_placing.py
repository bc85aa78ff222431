"""Where the family's levels lie on a model: in order, inside its range, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.family.placing import certainty, placed, placed_levels, unplaced, whole_hundredths

SD, EDM, ZERO_SNR = SigmaRange(0.0292, 14.6146), SigmaRange(0.002, 80.0), SigmaRange(0.0292, 4518.8)
FLOW, SHORT_FLOW = SigmaRange(0.003, 1.0, flow=True), SigmaRange(0.003, 0.98, flow=True)
RANGES = [SD, EDM, ZERO_SNR, FLOW, SHORT_FLOW]
LEVELS = np.linspace(2.3, -2.3, 9)


@pytest.mark.parametrize("sigma_range", RANGES)
@pytest.mark.parametrize("scale", [0.2, 1.0, 10.0])
@pytest.mark.parametrize("stretch", [0.5, 1.0, 2.0])
def test_levels_stay_in_order_and_inside_the_range_at_every_scale_and_stretch(sigma_range, scale, stretch):
    sigmas = placed(LEVELS, math.log(scale), stretch, sigma_range)
    assert float(sigmas[0]) == pytest.approx(sigma_range.sigma_max)
    assert float(sigmas[-1]) == 0.0
    assert bool((sigmas[1:] < sigmas[:-1]).all())
    assert float(sigmas[-2]) > sigma_range.sigma_min


def test_a_level_far_from_the_ends_is_scale_times_level_to_the_stretch():
    wide = SigmaRange(1e-6, 1e6)
    assert placed_levels(np.log([3.0, 0.5]), math.log(2.0), 1.3, wide) == pytest.approx(
        [2.0 * 3.0**1.3, 2.0 * 0.5**1.3], rel=1e-9
    )


def test_a_flow_level_has_the_odds_of_the_noise_level():
    sigma = placed_levels(np.log([3.0]), math.log(2.0), 1.0, FLOW)
    assert sigma / (1.0 - sigma) == pytest.approx([6.0], rel=1e-9)


@pytest.mark.parametrize("sigma_range", RANGES)
def test_unplaced_levels_are_those_that_were_placed(sigma_range):
    values = unplaced(placed_levels(LEVELS, 0.3, 1.1, sigma_range), sigma_range)
    certain = certainty(values, sigma_range) > 0.05
    assert certain.sum() >= 7
    assert values[certain] == pytest.approx((0.3 + 1.1 * LEVELS)[certain], abs=1e-9)


def test_squeezed_levels_are_uncertain():
    weights = certainty(np.array([9.0, 0.0, -9.0]), SD)
    assert weights[0] < 1e-4
    assert weights[1] > 0.99
    assert weights[2] < 1e-4


def test_scale_and_stretch_are_whole_hundredths():
    assert whole_hundredths(1.234, 1.2345) == (0.21, 1.23)


@pytest.mark.parametrize(
    ("scale", "stretch", "name"), [(0.1, 1.0, "scale"), (61.0, 1.0, "scale"), (1.0, 3.0, "stretch")]
)
def test_numbers_out_of_range_are_named(scale, stretch, name):
    with pytest.raises(ValueError, match=f"{name} must be from"):
        whole_hundredths(scale, stretch)


def test_a_narrow_range_holds_every_level():
    narrow = SigmaRange(0.5, 1.0)
    sigmas = placed(LEVELS, 0.0, 1.0, narrow)
    assert bool((sigmas[1:] < sigmas[:-1]).all())
    assert float(sigmas[-2]) > 0.5
