"""Brownian paths: noise that belongs to the sample and the noise levels, not to the steps or the batch."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sigmasmith.schedules.samplers.brownian import BrownianPath, is_stochastic, on_path
from sigmasmith.schedules.samplers.by_name import own_sampler

SHAPE, TOP = (4, 32, 32), 14.6
TWO_ROWS = slice(0, 2)


def path(rows: slice = TWO_ROWS, seed: int = 3) -> BrownianPath:
    return BrownianPath(SHAPE, TOP, seed, rows)


def increment(noise: BrownianPath, high: float, low: float) -> torch.Tensor:
    return noise(high, low) * (high - low) ** 0.5


@pytest.mark.parametrize(("high", "low"), [(14.6, 5.0), (5.0, 1.0), (1.0, 0.9), (0.05, 0.03)])
def test_the_noise_of_a_step_is_standard_normal(high, low):
    values = BrownianPath(SHAPE, TOP, 0, slice(0, 16))(high, low)
    assert abs(float(values.mean())) < 4.0 / values.numel() ** 0.5
    assert float(values.std()) == pytest.approx(1.0, abs=4.0 / (2 * values.numel()) ** 0.5)


def test_the_noises_of_two_steps_are_independent():
    noise = BrownianPath(SHAPE, TOP, 0, slice(0, 16))
    first, second = noise(10.0, 2.0), noise(2.0, 0.5)
    assert abs(float((first * second).mean())) < 4.0 / first.numel() ** 0.5


def test_a_long_step_adds_what_its_parts_add():
    noise = path()
    whole = increment(noise, 10.0, 1.0)
    parts = increment(noise, 10.0, 4.0) + increment(noise, 4.0, 2.5) + increment(noise, 2.5, 1.0)
    torch.testing.assert_close(whole, parts, rtol=0.0, atol=1e-4)


def test_a_row_has_the_same_noise_alone_and_in_a_batch():
    assert torch.equal(path(slice(0, 4))(3.0, 1.0)[2:3], path(slice(2, 3))(3.0, 1.0))


def test_the_noise_does_not_depend_on_what_was_asked_before():
    asked = path()
    asked(14.6, 7.0)
    asked(7.0, 0.1)
    assert torch.equal(asked(3.0, 1.0), path()(3.0, 1.0))


def test_another_seed_is_another_path():
    assert not torch.equal(path(seed=3)(3.0, 1.0)[0], path(seed=30)(3.0, 1.0)[0])


def euler_ancestral(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
    for high, low in pairwise(sigmas):
        denoised = model(x, high * x.new_ones(len(x)))
        up = low * (1.0 - (low / high) ** 2) ** 0.5
        down = (low**2 - up**2) ** 0.5
        x = denoised + (x - denoised) * down / high
        if noise_sampler is not None and low > 0:
            x = x + noise_sampler(high, low) * up
    return x


def test_samplers_that_take_a_noise_sampler_may_draw_noise_and_known_rules_never_do():
    assert is_stochastic(euler_ancestral, "euler_ancestral")
    assert not is_stochastic(own_sampler("dpmpp_2m"), "dpmpp_2m")
    assert not is_stochastic(euler_ancestral, "euler")


def test_a_stochastic_sampler_on_a_path_converges_with_more_steps():
    def gaussian(x, sigma):
        return x * 0.25 / (0.25 + sigma.view(-1, 1, 1, 1) ** 2)

    start = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1)) * TOP
    ends = []
    for steps in (20, 80, 320):
        levels = torch.cat([torch.logspace(1.1644, -1.5, steps), torch.zeros(1)])
        ends.append(on_path(euler_ancestral, path())(gaussian, start, levels))
    coarse, fine = (float((ends[i] - ends[2]).square().mean().sqrt()) for i in (0, 1))
    assert fine < 0.6 * coarse


def test_rows_far_apart_in_seed_have_paths_of_their_own():
    path = BrownianPath((64,), 14.6146, 0, slice(0, 300))
    noise = path(10.0, 1.0)
    assert len({tuple(row.tolist()) for row in noise}) == 300
