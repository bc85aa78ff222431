"""The refinement loop: it lowers the error, keeps to its budget and its region, and stops when nothing improves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.feedback.estimate import RunRecord
from sigmasmith.schedules.feedback.refine import Pass, finer_tail, refine
from sigmasmith.schedules.feedback.words import heat_image, map_in_words, refinement_in_words
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import SIGMA_MIN, easy_and_hard, first_pass, resampler, sigmas, start


def refined(budget=16, share=0.5, steps=8, name="euler", allowed=None):
    model, exact = easy_and_hard()
    sampler, levels = own_sampler(name), sigmas(steps)
    first = first_pass(model, start(), levels, sampler)
    found = refine(
        first,
        levels,
        resampler(model, sampler),
        budget=budget,
        sigma_min=SIGMA_MIN,
        share=share,
        allowed=allowed,
    )
    return first, found, exact(start())


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m"])
def test_the_error_falls_in_the_region_and_nothing_else_changes(name):
    first, found, exact = refined(name=name)
    inside = found.region.unsqueeze(1) > 0.0
    assert torch.equal(found.end[~inside], first.end[~inside])
    before, after = ((each - exact)[inside].square().mean().sqrt() for each in (first.end, found.end))
    assert float(after) < 0.6 * float(before)
    assert float(found.after.square().mean()) < float(found.before.square().mean())
    # The hard half holds the error, so the region lies there (but for neighbours across the border).
    assert float(found.region[..., 4:].mean()) > 0.9
    assert float(found.region[..., :3].mean()) == 0.0


@settings(max_examples=20)
@given(st.integers(2, 60), st.floats(0.05, 1.0), st.integers(2, 10))
def test_the_budget_is_never_exceeded(budget, share, steps):
    first, found, _ = refined(budget, share, steps)
    assert found.calls <= budget
    assert found.calls == sum(each.calls for each in found.rounds)
    assert found.reason
    assert bool(torch.isfinite(found.end).all())
    if not any(each.kept for each in found.rounds):
        assert torch.equal(found.end, first.end)
        assert float(found.region.sum()) == 0.0


def test_rounds_go_on_to_other_pixels_and_every_kept_one_lowers_the_estimate():
    _, found, _ = refined(budget=400, share=0.1)
    assert len(found.rounds) > 1
    assert found.calls < 400
    for each in found.rounds:
        assert (each.after <= 0.95 * each.before) == each.kept
    assert all(each.kept for each in found.rounds[:-1])


def test_a_round_that_does_not_improve_is_discarded_and_ends_it():
    model, _ = easy_and_hard()
    sampler, levels = own_sampler("euler"), sigmas(8)
    first = first_pass(model, start(), levels, sampler)
    again = resampler(
        lambda x, sigma, **_: model(x, sigma) + 3.0 * torch.sin(40.0 * sigma.log())[:, None, None, None], sampler
    )
    found = refine(first, levels, again, budget=64, sigma_min=SIGMA_MIN)
    assert torch.equal(found.end, first.end)
    assert [each.kept for each in found.rounds] == [False]
    assert "discarded" in found.reason
    assert found.calls > 0


def test_a_sampler_that_asks_for_too_many_calls_leaves_the_first_result():
    model, _ = easy_and_hard()
    levels = sigmas(8)
    first = first_pass(model, start(), levels, own_sampler("euler"))
    found = refine(first, levels, lambda *_: None, budget=16, sigma_min=SIGMA_MIN)
    assert torch.equal(found.end, first.end)
    assert found.calls == 16
    assert "more model calls" in found.reason


def test_a_run_without_any_error_is_left_alone():
    record = RunRecord(keep_states=True)
    for sigma in (4.0, 2.0, 1.0):
        record.add(sigma, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    record.finish(0.0)
    first = Pass(record, torch.ones(1, 1, 4, 4), 3)
    found = refine(first, [4.0, 2.0, 1.0, 0.0], lambda *_: pytest.fail("no round"), budget=9, sigma_min=0.1)
    assert found.reason == "no error was estimated"
    assert found.calls == 0


def test_pixels_that_may_not_change_do_not():
    allowed = torch.zeros(2, 8, 8)
    allowed[..., 6:] = 1.0
    first, found, _ = refined(share=1.0, allowed=allowed)
    assert torch.equal(found.end[..., :6], first.end[..., :6])
    assert torch.equal(found.region, allowed)


@pytest.mark.parametrize("budget", [0, 1, -3, 2.5, True])
def test_a_budget_that_buys_nothing_is_named(budget):
    with pytest.raises(ValueError, match="budget must be at least 2"):
        refined(budget=budget)


def test_finer_tails_follow_the_curve_and_go_below_its_last_level():
    levels = sigmas(8)[:-1].tolist()
    tail = finer_tail(levels[3:], 15, 3, SIGMA_MIN)
    assert len(tail) == 16
    assert float(tail[0]) == pytest.approx(levels[3])
    assert float(tail[-2]) == pytest.approx(levels[-1] / 3.0)
    assert float(finer_tail(levels[3:], 15, 8, 0.2)[-2]) == pytest.approx(0.2)
    assert float(finer_tail(levels[3:], 15, 8, 0.3)[-2]) == pytest.approx(0.3)
    assert len(finer_tail(levels[-1:], 4, 4, SIGMA_MIN)) == 5


def test_words_say_what_happened():
    first, found, _ = refined(budget=40)
    said = refinement_in_words(found)
    assert "before" in said
    assert f"after {found.calls} more model calls" in said
    assert said.endswith(f"Stopped: {found.reason}.")
    report = map_in_words(first.record, first.end, first.calls)
    assert report.startswith("8 model calls, none of them for the map.")
    assert "Image 2: estimated error" in report
    assert "comes from the step from sigma" in report


@pytest.mark.parametrize("shape", [(2, 5, 4), (1, 3, 5, 4)])
def test_the_picture_is_dark_without_error_and_bright_where_it_is_largest(shape):
    error = torch.zeros(shape)
    error[..., 0, 0] = 2.0
    picture, mask = heat_image(error, 4)
    frames = shape[0] if len(shape) == 3 else shape[0] * shape[1]
    assert picture.shape == (frames, 20, 16, 3)
    assert mask.shape == (frames, 20, 16)
    assert float(picture[..., 8:, 8:, :].max()) < 0.06
    assert float(picture[0, 0, 0].min()) > 0.7
    assert float(mask[0, 3, 3]) == 1.0
    assert float(mask[0, 4, 4]) == 0.0


def test_a_critic_chooses_the_pixels_until_it_passes():
    model, _ = easy_and_hard()
    sampler, levels = own_sampler("euler"), sigmas(8)
    first = first_pass(model, start(), levels, sampler)
    seen = []

    def critic(end):
        seen.append(end)
        failing = torch.zeros_like(end[:, 0])
        failing[..., -2:] = float(len(seen) < 2)
        return failing

    result = refine(first, levels, resampler(model, sampler), budget=200, sigma_min=SIGMA_MIN, critic=critic)
    assert result.reason == "the critic passes"
    assert len(result.rounds) == 1
    assert torch.equal(seen[1], result.end)
    assert torch.equal(result.end[..., :-2], first.end[..., :-2])
    assert not torch.equal(result.end[..., -2:], first.end[..., -2:])
    passed = refine(
        first, levels, resampler(model, sampler), budget=200, sigma_min=SIGMA_MIN, critic=lambda end: 0.0 * end[:, 0]
    )
    assert passed.calls == 0
    assert torch.equal(passed.end, first.end)
