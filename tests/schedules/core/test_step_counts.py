"""Schedules for every step count from the few that were fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import log_snr
from sigmasmith.schedules.core.sigmas import check_sigmas, finish_sigmas, steps_before_truncation
from sigmasmith.schedules.core.step_counts import StepCounts
from sigmasmith.schedules.hosting.named_curves import CURVES

VE = (0.0292, 14.6146)
FLOW = (0.003, 1.0)


def is_flow(fitted: StepCounts) -> bool:
    return fitted.sigma_min == FLOW[0]


def fit(counts: tuple[int, ...], *, flow: bool = False, curve: str = "tangent") -> StepCounts:
    low, high = FLOW if flow else VE
    return StepCounts({k: CURVES[curve](k, low, high, flow=flow) for k in counts}, low)


@st.composite
def rough_fits(draw: st.DrawFn) -> StepCounts:
    """Fits whose lists are unrelated but for sigma_max: what a search on few samples may return."""
    flow = draw(st.booleans())
    low, high = FLOW if flow else VE
    first, last = (float(value) for value in -0.5 * log_snr([high, low], flow=flow))
    schedules = {}
    for count in draw(st.lists(st.integers(1, 30), min_size=1, max_size=4, unique=True)):
        gaps = np.cumsum(draw(st.lists(st.floats(0.05, 1.0), min_size=count, max_size=count)))
        inner = np.exp(first - (first - last) * gaps / gaps[-1] * draw(st.floats(0.5, 1.0)))
        positive = inner / (1 + inner) if flow else inner
        schedules[count] = finish_sigmas(np.append(high, positive[:-1]))
    return StepCounts(schedules, low)


FITS = st.sampled_from(
    [
        fit((5, 8, 10, 20)),
        fit((5, 8, 10, 20), flow=True),
        fit((4,), curve="karras"),
        fit((6, 12), curve="exponential"),
        fit((6, 12), flow=True, curve="beta"),
        fit((1, 2)),
    ]
)
DENOISE = st.floats(0.02, 1.0)


def test_a_fit_without_schedules_is_refused():
    with pytest.raises(ValueError, match="at least one step count"):
        StepCounts({}, 0.03)


def test_a_schedule_under_the_wrong_count_is_refused():
    with pytest.raises(ValueError, match="the schedule for 5 steps has 4"):
        StepCounts({5: CURVES["karras"](4, *VE)}, VE[0])


@given(fitted=rough_fits())
def test_fitted_counts_come_back_bit_for_bit(fitted):
    for steps, sigmas in fitted.schedules.items():
        assert fitted.is_fitted(steps)
        assert torch.equal(fitted.sigmas(steps), sigmas)


def test_a_fitted_schedule_is_given_out_as_a_copy():
    fitted = fit((5,))
    fitted.sigmas(5)[0] = 1.0
    assert fitted.sigmas(5)[0] == pytest.approx(VE[1])


@settings(max_examples=50)
@given(fitted=st.one_of(FITS, rough_fits()), steps=st.integers(1, 120))
def test_every_count_keeps_the_contract_and_starts_at_sigma_max(fitted, steps):
    sigmas = fitted.sigmas(steps)
    assert len(check_sigmas(sigmas)) == steps + 1
    assert sigmas[0] == max(s[0] for s in fitted.schedules.values())
    assert steps == 1 or float(sigmas[-2]) > 0.9 * fitted.sigma_min


@pytest.mark.parametrize("steps", [1, 2, 3, 999, 1000, 10_000])
@pytest.mark.parametrize("flow", [False, True])
def test_extreme_counts_keep_the_contract(steps, flow):
    for counts in ((5, 8, 10, 20), (1,), (2,), (1, 2)):
        assert len(fit(counts, flow=flow).sigmas(steps)) == steps + 1


@settings(max_examples=200)
@given(fitted=st.one_of(FITS, rough_fits()), steps=st.integers(1, 40), low=DENOISE, high=DENOISE)
def test_start_sigma_never_falls_as_denoise_rises_whether_fitted_lists_cross_or_not(fitted, steps, low, high):
    first, second = (fitted.truncated(steps, denoise) for denoise in sorted((low, high)))
    for sigmas in (first, second):
        assert len(check_sigmas(sigmas)) == steps + 1
    assert first[0] <= second[0] * (1 + 1e-6)


def test_of_lists_that_cross_only_the_start_of_a_truncated_run_is_raised():
    few, many = finish_sigmas([14.6, 2.0, 0.1]), finish_sigmas([14.6, 6.0, 3.0, 1.5, 0.5, 0.2])
    fitted = StepCounts({3: few, 6: many}, 0.03)
    assert torch.equal(fitted.truncated(1, 1 / 6), many[-2:])
    assert fitted.truncated(1, 1 / 3).tolist() == pytest.approx([0.2, 0.0])  # its own is .1
    assert fitted.truncated(2, 2 / 3).tolist() == pytest.approx([2.0, 0.1, 0.0])
    assert torch.equal(fitted.truncated(3, 1.0), few)
    assert torch.equal(fitted.sigmas(3), few)


@settings(max_examples=50)
@given(fitted=FITS, steps=st.integers(1, 40), denoise=DENOISE)
def test_where_lists_do_not_cross_a_truncated_run_is_the_plain_tail(fitted, steps, denoise):
    full = steps_before_truncation(steps, denoise)
    torch.testing.assert_close(
        fitted.truncated(steps, denoise), fitted.sigmas(full)[-(steps + 1) :], rtol=1e-6, atol=0.0
    )


@settings(max_examples=50)
@given(fitted=FITS, steps=st.integers(3, 60))
def test_neighbouring_step_counts_do_not_jump(fitted, steps):
    """Nodes of K + 1 steps interlace those of K: each lies between two neighbours of the other."""
    here, there = (fitted.sigmas(k)[:-1].double().numpy() for k in (steps, steps + 1))
    assume(not (fitted.is_fitted(steps) and fitted.is_fitted(steps + 1)))
    assert np.all(there[:-1] >= here * (1 - 1e-3))
    if steps > max(fitted.schedules):
        assert np.all(there[2:] <= here[1:] * (1 + 1e-3))


@settings(max_examples=50)
@given(fitted=FITS, steps=st.integers(1, 60), level=st.floats(-3.0, 2.0))
def test_steps_left_grow_with_the_step_count_at_every_noise_level(fitted, steps, level):
    sigma = math.exp(level) / (1 + math.exp(level)) if is_flow(fitted) else math.exp(level)
    fewer, more = (fitted._left_at(*fitted._steps_left(float(k)), sigma) for k in (steps, steps + 1))
    assert fewer <= more + 1e-9


@settings(max_examples=50)
@given(fitted=FITS, steps=st.integers(1, 30), fraction=st.floats(0.1, 0.95))
def test_noise_level_mode_starts_exactly_at_the_asked_sigma(fitted, steps, fraction):
    low, high = (
        -0.5 * float(log_snr(s, flow=is_flow(fitted)))
        for s in (fitted.sigma_min * 3, FLOW[1] if is_flow(fitted) else VE[1])
    )
    start = math.exp(low + fraction * (high - low))
    start = start / (1 + start) if is_flow(fitted) else start
    sigmas = fitted.from_sigma(steps, start)
    assert len(check_sigmas(sigmas)) == steps + 1
    assert float(sigmas[0]) == np.float32(start)


def test_noise_level_mode_from_sigma_max_is_the_schedule_itself():
    fitted = fit((5, 10))
    assert torch.equal(fitted.from_sigma(10, 14.6146), fitted.sigmas(10))
    assert torch.equal(fitted.from_sigma(7, 20.0), fitted.sigmas(7))


def test_noise_level_mode_gives_a_fitted_tail_that_starts_there_to_the_last_bit():
    uneven = finish_sigmas([14.6, 9.0, 8.5, 2.0, 0.7, 0.6, 0.03])
    fitted = StepCounts({4: finish_sigmas([14.6, 3.0, 1.0, 0.1]), 7: uneven}, 0.0292)
    assert torch.equal(fitted.from_sigma(3, float(uneven[4])), uneven[-4:])
    assert torch.equal(fitted.from_sigma(3, float(uneven[4]) * (1.0 + 1e-7)), uneven[-4:])


def test_noise_level_mode_gives_the_tail_of_the_schedule_that_passes_there():
    fitted = fit((5, 10))
    whole = fitted.sigmas(10)
    assert torch.allclose(fitted.from_sigma(6, float(whole[4])), whole[4:], rtol=1e-3)


def test_interpolating_between_counts_of_one_curve_stays_near_that_curve():
    fitted = fit((5, 8, 10, 20))
    for steps in (6, 7, 9, 12, 15):
        made, curve = fitted.sigmas(steps)[:-1].log(), CURVES["tangent"](steps, *VE)[:-1].log()
        assert float((made - curve).abs()[:-1].max()) < 0.25


def test_more_steps_than_fitted_divide_the_first_step_of_a_flow_model_evenly():
    """In log-SNR, where sigma 1 lies at minus infinity, the added sigmas would gather just below 1."""
    fitted = fit((5, 8, 10, 20), flow=True)
    for steps in (21, 25, 40, 80):
        first = 1.0 - float(fitted.sigmas(steps)[1])
        assert first > 0.5 * (1.0 - float(CURVES["tangent"](steps, *FLOW, flow=True)[1]))
