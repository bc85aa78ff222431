"""The uncertainty-weighted 2M: its limits, its order, its place between first and second order."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.feedback.weighted import sample_weighted_2m
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import SIGMA_MAX, easy_and_hard, sigmas, start


def test_an_infinite_scale_is_2m_and_a_tiny_one_is_euler():
    model, _ = easy_and_hard()
    for steps in (1, 2, 9):
        ends = [sample_weighted_2m(model, start(), sigmas(steps), scale=scale) for scale in (math.inf, 1e-7)]
        torch.testing.assert_close(
            ends[0], own_sampler("dpmpp_2m")(model, start(), sigmas(steps)), rtol=1e-6, atol=1e-6
        )
        torch.testing.assert_close(ends[1], own_sampler("euler")(model, start(), sigmas(steps)), rtol=1e-5, atol=1e-5)


@given(st.floats(0.01, 100.0))
def test_each_step_lies_between_first_and_second_order(scale):
    model, _ = easy_and_hard()
    levels = torch.tensor([SIGMA_MAX, 5.0, 2.0], dtype=torch.float64)
    first, second, found = (sample_weighted_2m(model, start(), levels, scale=each) for each in (1e-9, math.inf, scale))
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    assert bool(((found >= low - 1e-9) & (found <= high + 1e-9)).all())


def test_the_order_is_at_least_two_where_the_run_is_smooth():
    model, _ = easy_and_hard()
    levels = [sigmas(steps, low=0.5)[:-1].double() for steps in (161, 321, 641)]
    fine = sample_weighted_2m(model, start(), sigmas(20_001, low=0.5)[:-1].double(), scale=math.inf)
    errors = [float((sample_weighted_2m(model, start(), each) - fine).square().mean().sqrt()) for each in levels]
    for coarse, finer in pairwise(errors):
        assert math.log2(coarse / finer) > 1.75, errors


def test_a_jump_of_the_model_is_damped_at_its_pixels_only():
    def model(x, sigma, **_):
        out = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
        out[..., 0] += 30.0 * (sigma[0] < 6.0)  # one column jumps between two calls
        return out

    levels = torch.tensor([SIGMA_MAX, 5.0, 2.0], dtype=torch.float64)
    first, second, found = (sample_weighted_2m(model, start(), levels, scale=s) for s in (1e-9, math.inf, 0.5))
    jumps = (found - first)[..., 0] / (second - first)[..., 0]
    assert float(jumps.max()) < 0.5
    torch.testing.assert_close(found[..., 1:], second[..., 1:])


def test_a_batch_changes_nothing_and_the_callback_sees_every_step():
    model, _ = easy_and_hard()
    seen: list[int] = []
    together = sample_weighted_2m(model, start(3), sigmas(6), callback=lambda info: seen.append(info["i"]))
    alone = sample_weighted_2m(model, start(3)[1:2], sigmas(6))
    torch.testing.assert_close(together[1:2], alone, rtol=1e-12, atol=0.0)
    assert seen == list(range(6))


def test_a_video_latent_and_half_precision_run():
    def model(x, sigma, **_):
        return x / (1.0 + sigma.reshape(-1, 1, 1, 1, 1).to(x.dtype) ** 2)

    x = SIGMA_MAX * torch.randn(1, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    end = sample_weighted_2m(model, x, sigmas(6))
    assert end.shape == x.shape
    half = sample_weighted_2m(model, x.bfloat16(), sigmas(6))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), end, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_a_scale_that_makes_no_sense_is_named(scale):
    with pytest.raises(ValueError, match="scale must be above 0"):
        sample_weighted_2m(lambda x, *_, **__: x, start(), sigmas(3), scale=scale)
