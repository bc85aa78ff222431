"""The frozen model-free curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange, to_ve
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.curves.by_name import CURVES
from sigmasmith.schedules.curves.fallback import TwoSided, fallback_sigmas, two_sided_sigmas

SD = (0.0291671582, 14.6146412293)
SD3 = (0.003 / 1.002, 1.0)
FLUX = (0.00031575, 1.0)
SVD = (0.002, 700.0)

# fmt: off
FROZEN: dict[tuple[tuple[float, float], bool], dict[int, list[float]]] = {
    (SD, False): {
        1: [14.614641],
        4: [14.614641, 3.9272714, 1.0448865, 0.22060141],
        10: [
            14.614641, 8.5596733, 5.1158342, 3.0721946, 1.829671,
            1.0671285, 0.60123128, 0.32188207, 0.16023254, 0.071887858,
        ],
    },
    (SVD, False): {
        1: [700.0],
        4: [700.0, 18.017054, 2.0438299, 0.16603686],
        10: [
            700.0, 98.628113, 29.984344, 11.625875, 4.9275703,
            2.1118815, 0.86285174, 0.31527826, 0.093876369, 0.019131007,
        ],
    },
    (SD3, True): {
        1: [1.0],
        4: [1.0, 0.9090786, 0.7455008, 0.48474613],
        10: [
            1.0, 0.96787089, 0.92018378, 0.85895723, 0.78167176,
            0.68494958, 0.56624359, 0.42695653, 0.27733052, 0.13989897,
        ],
    },
    (FLUX, True): {
        1: [1.0],
        4: [1.0, 0.90775162, 0.73878551, 0.46493909],
        10: [
            1.0, 0.96753842, 0.91908538, 0.85636568, 0.77644044,
            0.67546761, 0.55069149, 0.40432581, 0.24951282, 0.11347958,
        ],
    },
}
# fmt: on


@pytest.mark.parametrize(("ends", "flow"), [(SD, False), (SVD, False), (SD3, True), (FLUX, True)])
def test_the_curve_is_frozen(ends, flow):
    """These values are in people's workflows: if this fails, the change is wrong, not the test."""
    for steps, frozen in FROZEN[ends, flow].items():
        assert fallback_sigmas(steps, *ends, flow=flow).tolist() == pytest.approx([*frozen, 0.0], rel=1e-6)


@settings(max_examples=60)
@given(
    low=st.floats(1e-4, 0.4),
    factor=st.floats(1.5, 1e5),
    flow=st.booleans(),
    top=st.floats(0.6, 1.0),
    k=st.integers(1, 99),
)
def test_every_range_and_count_keeps_the_contract(low, factor, flow, top, k):
    high = top if flow else low * factor
    sigmas = fallback_sigmas(k, low, high, flow=flow)
    assert len(check_sigmas(sigmas)) == k + 1
    assert float(sigmas[0]) == np.float32(high)
    assert float(sigmas[-2]) >= np.float32(low) * (1 - 1e-6)


@pytest.mark.parametrize(("ends", "flow"), [(SD, False), (SVD, False), (SD3, True), (FLUX, True)])
@pytest.mark.parametrize("steps", [1, 2, 10_000])
def test_one_two_and_ten_thousand_steps_work(ends, flow, steps):
    assert len(fallback_sigmas(steps, *ends, flow=flow)) == steps + 1


@pytest.mark.parametrize(("ends", "flow"), [(SD, False), (SVD, False), (SD3, True), (FLUX, True)])
def test_neighbouring_step_counts_do_not_jump(ends, flow):
    for steps in range(2, 60):
        here, there = (fallback_sigmas(k, *ends, flow=flow)[:-1] for k in (steps, steps + 1))
        assert bool((there[:-1] >= here * (1 - 1e-6)).all())
        assert bool((there[1:] <= here * (1 + 1e-6)).all())


@given(steps=st.integers(1, 60), low=st.floats(0.05, 1.0), high=st.floats(0.05, 1.0))
def test_start_sigma_never_falls_as_denoise_rises(steps, low, high):
    first, second = (
        fallback_sigmas(int(steps / denoise), *SD, flow=False)[-(steps + 1)] for denoise in sorted((low, high))
    )
    assert first <= second * (1 + 1e-6)


def test_larger_shift_moves_the_steps_to_higher_noise():
    one, three, eight = (fallback_sigmas(10, s / 1000, 1.0, flow=True) for s in (1.0, 3.0, 8.0))
    assert bool((one[1:-1] < three[1:-1]).all())
    assert bool((three[1:-1] < eight[1:-1]).all())


def test_a_start_that_is_no_known_shift_is_held_to_the_nearest_one():
    odd, largest = (fallback_sigmas(10, low, 1.0, flow=True) for low in (0.3, 0.012 / 1.011))
    assert len(odd) == len(largest) == 11


def test_the_tangent_is_the_curve_with_both_exponents_one():
    for flow, ends in ((False, SD), (True, SD3)):
        made = two_sided_sigmas(9, SigmaRange(*ends, flow), TwoSided(1.0, 1.0, 0.7, 0.0))
        assert torch.allclose(made, CURVES["tangent"](9, *ends, flow=flow, c=0.7), rtol=1e-5)


def test_exponents_near_zero_are_even_in_log_snr():
    made = two_sided_sigmas(9, SigmaRange(*SD), TwoSided(1e-3, 1e-3, 0.7, 0.0))
    assert torch.allclose(made, CURVES["log_snr_uniform"](9, *SD), rtol=1e-2)


def test_flow_and_ve_models_with_the_same_signal_to_noise_ratios_get_the_same_steps():
    curve = TwoSided(0.4, 0.9, 2.0, 1.0)
    low, high = 0.01, 0.99
    flow = two_sided_sigmas(7, SigmaRange(low, high, flow=True), curve)[:-1].double()
    ve = two_sided_sigmas(7, SigmaRange(float(to_ve(low)), float(to_ve(high))), curve)[:-1].double()
    assert np.allclose(to_ve(flow), ve, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 0.03, 14.6), "steps must be a whole number"),
        ((5, 14.6, 0.03), "sigma_min must be below sigma_max"),
        ((5, -0.03, 14.6), "sigma_min must be finite and > 0"),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(arguments, words):
    with pytest.raises(ValueError, match=words):
        fallback_sigmas(*arguments, flow=False)


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (TwoSided(0.0, 1.0, 1.0, 0.0), "fine must be finite and > 0, got 0"),
        (TwoSided(1.0, math.nan, 1.0, 0.0), "coarse must be finite and > 0, got nan"),
        (TwoSided(1.0, 1.0, -1.0, 0.0), "centre must be finite and > 0, got -1"),
        (TwoSided(1.0, 1.0, 1.0, -0.5), "left must be finite and >= 0, got -0.5"),
    ],
)
def test_impossible_curves_are_refused_by_name_and_value(curve, words):
    with pytest.raises(ValueError, match=words):
        two_sided_sigmas(5, SigmaRange(*SD), curve)
