"""Fits of samplers that draw noise: against themselves with many steps on one Brownian path."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.report import FITTED
from sigmasmith.schedules.samplers import brownian
from sigmasmith.schedules.samplers.brownian import BrownianPath

from .fits import Counted, mixture, normal, small_fit


def sample_ancestral(model, x, sigmas, extra_args=None, callback=None, disable=None, *, noise_sampler):
    for high, low in pairwise(sigmas):
        denoised = model(x, high * x.new_ones(len(x)), **(extra_args or {}))
        up = low * (1.0 - (low / high) ** 2) ** 0.5
        x = denoised + (x - denoised) * (low**2 - up**2) ** 0.5 / high
        if low > 0:
            x = x + noise_sampler(high, low) * up
    return x


def sample_jumpy(model, x, sigmas, extra_args=None, callback=None, disable=None, *, noise_sampler):
    """Noise that does not shrink with the steps: it has no limit."""
    for high, low in pairwise(sigmas):
        denoised = model(x, high * x.new_ones(len(x)))
        x = denoised + (x - denoised) * low / high
        x = x + 0.3 * noise_sampler(high, low) if low > 0 else x
    return x


@pytest.mark.slow
def test_it_is_searched_for_with_the_whole_limit_and_its_reference_comes_on_top():
    model, effort = Counted(mixture()), EFFORTS["fast"]
    fit = small_fit(model, normal(8), sampler=sample_ancestral, steps=8)
    reference = effort.teacher_nodes + effort.check_nodes
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert effort.limit((8,)) < fit.nfe <= effort.limit((8,)) + reference
    assert "draws noise: it was fitted against itself" in str(fit.report)


@pytest.mark.slow
def test_the_fitted_schedule_beats_the_hosts_default_on_the_path():
    fit = small_fit(mixture(), normal(16), sampler=sample_ancestral, steps=8, effort="balanced")
    row = fit.report.rows[8]
    assert row.errors[FITTED] < 0.9 * row.errors["simple"]
    assert row.errors[row.chosen] <= row.errors[FITTED]


@pytest.mark.slow
def test_another_seed_is_other_noise_and_the_same_seed_the_same_fit():
    one, same, other = (
        small_fit(mixture(), normal(6), sampler=sample_ancestral, seed=seed).schedules[5] for seed in (1, 1, 100)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.slow
def test_a_sampler_without_a_limit_is_not_fitted_and_the_report_says_why():
    fit = small_fit(mixture(), normal(6), sampler=sample_jumpy)
    assert "no result with many steps" in str(fit.report)
    assert "distilled" not in str(fit.report)
    assert FITTED not in fit.report.rows[5].errors


def test_a_path_keeps_few_values_of_large_latents(monkeypatch):
    monkeypatch.setattr(brownian, "_KEPT_BYTES", 3 * 4 * 2 * 100)
    path, fresh = BrownianPath((100,), 10.0, 0, slice(0, 2)), BrownianPath((100,), 10.0, 0, slice(0, 2))
    levels = [10.0, 8.0, 5.0, 3.0, 1.0, 0.5, 0.1]
    steps = [path(high, low) for high, low in pairwise(levels)]
    assert len(path._known) == 3
    assert torch.equal(steps[3], fresh(3.0, 1.0))
