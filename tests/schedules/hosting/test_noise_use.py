"""A sampler that asks for noise and multiplies it by 0 is no sampler that draws noise."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sigmasmith.schedules.hosting.noise_use import uses_given_noise


def sampler_with(share: float):
    """Euler steps, and a share of the noise that it is given."""

    def sample(model, x, sigmas, *, extra_args, disable, noise_sampler):
        for sigma, sigma_next in pairwise(sigmas):
            denoised = model(x, sigma * x.new_ones([len(x)]), **extra_args)
            x = denoised + (x - denoised) * sigma_next / sigma
            if sigma_next > 0:
                x = x + noise_sampler(sigma, sigma_next) * share
        return x

    return sample


@pytest.mark.parametrize(("share", "uses"), [(0.0, False), (0.3, True)])
def test_noise_counts_where_it_shows_at_the_end(share, uses):
    assert uses_given_noise(sampler_with(share)) is uses


def test_a_sampler_that_needs_more_of_its_model_is_taken_for_one_that_draws():
    def sample(model, x, sigmas, **_):
        return model.inner_model(x)

    assert uses_given_noise(sample)


def test_the_random_state_of_the_program_stays():
    before = torch.get_rng_state()
    uses_given_noise(sampler_with(0.3))
    assert torch.equal(torch.get_rng_state(), before)
