"""2M with a cap: 2M itself where steps do not grow, and never more than half of the last difference where they do."""

from __future__ import annotations

import torch
from sigmasmith.schedules.feedback.capped import sample_capped_2m
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import SIGMA_MAX, easy_and_hard, sigmas, start


def test_it_is_2m_where_no_step_is_longer_than_the_one_before():
    model, _ = easy_and_hard()
    levels = torch.cat([SIGMA_MAX * 0.5 ** torch.arange(6.0).cumsum(0).div(5.0).sqrt(), torch.zeros(1)])
    assert bool((levels[1:-1] < levels[:-2]).all())
    torch.testing.assert_close(
        sample_capped_2m(model, start(), levels),
        own_sampler("dpmpp_2m")(model, start(), levels),
        rtol=1e-12,
        atol=1e-12,
    )


def test_a_longer_step_uses_half_of_the_last_difference():
    model, _ = easy_and_hard()
    levels = torch.tensor([10.0, 8.0, 1.0], dtype=torch.float64)
    x, outputs = start(), []

    def recorded(x, sigma, **args):
        outputs.append(model(x, sigma, **args))
        return outputs[-1]

    end = sample_capped_2m(recorded, x, levels)
    middle = 0.8 * x + 0.2 * outputs[0]
    want = 0.125 * middle + 0.875 * (outputs[1] + 0.5 * (outputs[1] - outputs[0]))
    torch.testing.assert_close(end, want)


def test_a_batch_changes_nothing():
    model, _ = easy_and_hard()
    together = sample_capped_2m(model, start(3), sigmas(6))
    torch.testing.assert_close(together[1:2], sample_capped_2m(model, start(3)[1:2], sigmas(6)), rtol=1e-12, atol=0.0)
