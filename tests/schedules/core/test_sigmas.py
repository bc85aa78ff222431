"""The contract of a sigma list: check, finish, resample, truncate."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import (
    CLOSEST,
    MAX_LIST,
    MAX_STEPS,
    check_denoise,
    check_sigmas,
    check_steps,
    finish_sigmas,
    noise_level_start,
    resample_sigmas,
    runnable_sigmas,
    steps_after_truncation,
    steps_before_truncation,
)

SD = SigmaRange(0.0292, 14.6146)
FLOW = SigmaRange(0.003, 1.0, flow=True)


@st.composite
def sigma_lists(draw: st.DrawFn, flow: bool = False, least: int = 1) -> torch.Tensor:
    """Lists with random steps in log-SNR, from sigma_max of a VE or flow model."""
    gaps = draw(st.lists(st.floats(0.01, 2.0), min_size=least, max_size=30))
    ve = np.exp(math.log(50.0) - np.cumsum(gaps))
    return finish_sigmas(ve / (1.0 + ve) if flow else ve)


@pytest.mark.parametrize("bad", [0, -1, 1.5, MAX_STEPS + 1, True])
def test_step_counts_that_are_not_whole_numbers_in_range_are_refused(bad):
    with pytest.raises(ValueError, match=rf"steps must be a whole number from 1 to {MAX_STEPS}, got {bad}"):
        check_steps(bad)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "ten", None])
def test_step_counts_that_are_no_numbers_are_refused_as_step_counts(bad):
    with pytest.raises(ValueError, match="steps must be a whole number"):
        check_steps(bad)


def test_whole_floats_and_tensors_are_step_counts():
    assert check_steps(8.0) == check_steps(torch.tensor(8)) == check_steps(np.int64(8)) == 8


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.1, math.nan, math.inf, "all"])
def test_denoise_outside_its_range_is_refused(bad):
    with pytest.raises(ValueError, match="denoise must be above 0 and at most 1"):
        check_denoise(bad)


@pytest.mark.parametrize(
    ("sigmas", "words"),
    [
        ([[3.0, 1.0, 0.0]], "one list of at least 2 values"),
        ([0.0], "at least 2 values"),
        ([3.0, math.nan, 0.0], r"\[1\] is nan"),
        ([math.inf, 1.0, 0.0], r"\[0\] is inf"),
        ([3.0, 1.0, 1.0, 0.0], r"strictly decreasing, but \[1\] = 1 and \[2\] = 1"),
        ([1.0, 3.0, 0.0], r"strictly decreasing, but \[0\] = 1 and \[1\] = 3"),
        ([3.0, 0.0, 0.0], r"strictly decreasing, but \[1\] = 0 and \[2\] = 0"),
        ([3.0, 1.0], "must end in 0, got 1"),
        ([3.0, -1.0], "must end in 0, got -1"),
    ],
)
def test_lists_that_break_the_contract_are_refused_with_the_rule_and_the_place(sigmas, words):
    with pytest.raises(ValueError, match=words):
        check_sigmas(sigmas)


def test_a_list_without_terminal_zero_must_stay_above_zero():
    assert check_sigmas([3.0, 1.0], terminal_zero=False).tolist() == [3.0, 1.0]
    with pytest.raises(ValueError, match="must stay above 0, got 0"):
        check_sigmas([3.0, 0.0], terminal_zero=False)


def test_checked_list_is_a_float32_copy_on_the_cpu():
    given_list = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
    checked = check_sigmas(given_list)
    given_list[0] = 9.0
    assert checked.dtype == torch.float32
    assert checked.device.type == "cpu"
    assert checked[0] == 3.0


def closest(sigmas: torch.Tensor) -> float:
    """Smallest relative distance of two neighbours above 0."""
    levels = sigmas[:-1].double()
    return float((1.0 - levels[1:] / levels[:-1]).min()) if len(levels) > 1 else math.inf


@pytest.mark.parametrize(
    "levels", [np.linspace(1.0, 1.0 - 1e-5, 1000), np.full(10, 0.019), np.geomspace(14.6, 14.5, 9)]
)
def test_neighbours_that_a_solver_cannot_tell_apart_are_moved_apart_and_no_further(levels):
    finished = finish_sigmas(levels)
    assert len(finished) == len(levels) + 1
    assert finished[0] == np.float32(levels[0])
    assert closest(finished) > 0.98 * CLOSEST
    moved = np.abs(np.log(finished[:-1].double().numpy() / levels))
    assert moved.max() < 1.02 * CLOSEST * len(levels)


def test_levels_that_are_moved_apart_keep_the_last_one_where_there_is_room():
    levels = np.concatenate([np.geomspace(14.6, 0.03, 50), np.full(200, 0.0292)])
    finished = finish_sigmas(levels)
    assert finished[-2] == np.float32(0.0292)
    assert closest(finished) > 0.98 * CLOSEST
    assert np.allclose(finished[:40], levels[:40], rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5, 100, 10_000])
def test_levels_that_are_far_enough_apart_are_rounded_and_not_moved(steps):
    levels = np.geomspace(14.6, 0.03, steps)
    assert torch.equal(finish_sigmas(levels)[:-1], torch.from_numpy(levels.astype(np.float32)))


@pytest.mark.parametrize(
    "levels", [np.full(10, 0.019), np.geomspace(14.6, 14.5, 9), np.geomspace(14.6, 0.03, 10_000), [2.0]]
)
def test_a_list_that_every_solver_can_run_is_run_as_it_is(levels):
    finished = finish_sigmas(levels)
    assert torch.equal(runnable_sigmas(finished), finished)


@pytest.mark.parametrize("top", [1.0, 14.6, 0.01])
@pytest.mark.parametrize("steps", [2, 10, 300])
def test_a_list_of_neighbouring_floats_is_run_with_its_levels_apart(top, steps):
    levels = [np.float32(top)]
    while len(levels) < steps:
        levels.append(np.nextafter(levels[-1], np.float32(0.0)))
    sigmas = check_sigmas([*levels, 0.0])
    run = runnable_sigmas(sigmas)
    assert closest(sigmas) < 2e-7 < 0.8 * CLOSEST <= closest(run)
    assert torch.allclose(run, sigmas, rtol=1.2 * CLOSEST * steps)
    assert run[0] == sigmas[0]


@pytest.mark.parametrize("bad", [[1.0, 2.0], [1.0, -1.0], [math.nan], [1.0, 0.0]])
def test_finishing_refuses_what_is_not_decreasing_and_positive(bad):
    with pytest.raises(ValueError, match="sigmas"):
        finish_sigmas(bad)


@given(sigmas=sigma_lists())
def test_resampling_to_the_same_count_is_the_identity(sigmas):
    assert torch.equal(resample_sigmas(sigmas, len(sigmas) - 1), sigmas)


@given(sigmas=sigma_lists(least=2), steps=st.integers(1, 300))
def test_resampled_lists_keep_the_contract_and_their_ends(sigmas, steps):
    made = resample_sigmas(sigmas, steps)
    assert len(check_sigmas(made)) == steps + 1
    assert made[0] == sigmas[0]
    if steps > 1:
        assert made[-2] == sigmas[-2]


@given(sigmas=sigma_lists(flow=True, least=2), steps=st.integers(1, 300))
def test_resampled_flow_lists_keep_the_contract_and_their_ends(sigmas, steps):
    made = resample_sigmas(sigmas, steps)
    assert len(made) == steps + 1
    assert made[0] == sigmas[0]
    assert made[-2] == (sigmas[0] if steps == 1 else sigmas[-2])


def test_a_flow_list_from_one_is_resampled_below_one():
    made = resample_sigmas([1.0, 0.5, 0.1, 0.0], 10_000)
    assert len(made) == 10_001
    assert made[0] == 1.0
    assert made[1] < 1.0


def test_resampling_an_even_list_in_log_sigma_stays_even():
    even = finish_sigmas(np.exp(np.linspace(2.0, -3.0, 7)))
    made = resample_sigmas(even, 41)
    assert torch.allclose(made[:-1].double().log(), torch.linspace(2.0, -3.0, 41, dtype=torch.float64), atol=1e-6)


def test_one_step_has_no_curve_to_resample():
    assert resample_sigmas([14.6, 1.0, 0.0], 1).tolist() == pytest.approx([14.6, 0.0])
    with pytest.raises(ValueError, match="a list of 1 step has no curve to resample to 4 steps"):
        resample_sigmas([14.6, 0.0], 4)


# https://github.com/comfyanonymous/ComfyUI/issues/7801: interpolating a list that ends in 0 gave several zeros.
def test_resampling_a_short_list_upwards_gives_one_zero():
    made = resample_sigmas([14.6, 3.0, 1.0, 0.0], 7)
    assert (made == 0).sum() == 1
    assert torch.isfinite(made).all()


def test_steps_before_truncation_follow_the_hosts_rule():
    assert steps_before_truncation(10, 0.5) == 20
    assert steps_before_truncation(20, 0.35) == 57
    assert steps_before_truncation(30, 0.2) == 150
    assert steps_before_truncation(20, 0.99995) == 20
    assert steps_before_truncation(20, 1.0) == 20


def test_steps_before_truncation_never_leave_the_range_of_step_counts():
    assert steps_before_truncation(20, 1e-9) == MAX_LIST
    assert steps_before_truncation(MAX_STEPS, 0.5) == 2 * MAX_STEPS
    assert steps_before_truncation(MAX_STEPS, 0.01) == MAX_LIST


@given(low=st.floats(0.001, 1.0), high=st.floats(0.001, 1.0))
def test_noise_level_start_rises_with_denoise_up_to_sigma_max(low, high):
    for sigma_range in (SD, FLOW):
        first, second = (noise_level_start(denoise, sigma_range) for denoise in sorted((low, high)))
        assert 0.0 < first <= second <= sigma_range.sigma_max
        assert noise_level_start(1.0, sigma_range) == sigma_range.sigma_max


def test_noise_level_start_is_the_share_of_noise():
    assert noise_level_start(0.5, FLOW) == 0.5
    start = noise_level_start(0.5, SD)
    assert start / (1 + start) == pytest.approx(0.5 * SD.sigma_max / (1 + SD.sigma_max))


def test_resampling_a_flow_list_from_one_halves_its_first_step():
    """In log-SNR, where sigma 1 lies at minus infinity, the new sigma would hug 1 and waste its model call."""
    simple = finish_sigmas(np.array([3 * t / (1 + 2 * t) for t in np.linspace(1.0, 0.1, 10)]))
    made = resample_sigmas(simple, 19)
    assert float(1 - made[1]) == pytest.approx(0.5 * float(1 - simple[1]), rel=0.2)


@given(steps=st.integers(1, 300), denoise=st.floats(0.03, 1.0))
def test_steps_after_truncation_finds_back_what_the_host_was_asked_for(steps, denoise):
    assert steps_after_truncation(steps_before_truncation(steps, denoise), denoise) == steps


@given(full=st.integers(1, MAX_STEPS), denoise=st.floats(1e-320, 1.0))
def test_any_schedule_has_at_least_one_step_left_and_at_most_all(full, denoise):
    assert 1 <= steps_after_truncation(full, denoise) <= full


def test_a_denoise_next_to_nothing_asks_for_the_longest_schedule():
    assert steps_before_truncation(1, 1e-320) == MAX_LIST
