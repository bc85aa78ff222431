"""The fitted multistep sampler: tables of coefficients, and what it does without one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import PresetCoefficients, sample_sigmasmith_multistep
from sigmasmith.schedules.samplers.loop import sample_linear
from sigmasmith.schedules.samplers.parameters import coefficients_of, dpmpp_2m_parameters, parameters_of


def sigmas_of(steps):
    return finish_sigmas(torch.logspace(1.1, -1.5, steps, dtype=torch.float64).numpy())


def curved(x, sigma, **_):
    """A denoiser whose output depends on state and noise level."""
    return torch.tanh(x / (1.0 + sigma.reshape(-1, *[1] * (x.ndim - 1)) ** 2))


def start(*shape):
    return 12.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def some_coefficients(steps, order=3, seed=0):
    base = coefficients_of(dpmpp_2m_parameters(sigmas_of(steps), order), sigmas_of(steps))
    return base + 0.01 * torch.randn(base.shape, generator=torch.Generator().manual_seed(seed))


def test_a_fitted_schedule_runs_its_own_coefficients():
    preset = PresetCoefficients({5: sigmas_of(5), 8: sigmas_of(8)}, {8: some_coefficients(8)})
    said: list[str] = []
    x = start(2, 1, 4, 4)
    fitted = sample_sigmasmith_multistep(curved, x, sigmas_of(8), coefficients=preset, warn=said.append)
    assert said == []
    assert torch.equal(fitted, sample_linear(curved, x, sigmas_of(8), coefficients=preset.coefficients[8]))


@pytest.mark.parametrize(
    ("preset", "sigmas", "words"),
    [
        (None, sigmas_of(8), "no preset reached the sampler"),
        (PresetCoefficients({8: sigmas_of(8)}, {}), sigmas_of(8), "the preset holds no coefficients"),
        (
            PresetCoefficients({8: sigmas_of(8), 5: sigmas_of(5)}, {8: some_coefficients(8)}),
            sigmas_of(5),
            "no coefficients that held",
        ),
        (
            PresetCoefficients({8: sigmas_of(8)}, {8: some_coefficients(8)}),
            sigmas_of(7),
            "8 steps at denoise 1, and these 7 steps",
        ),
        (
            PresetCoefficients({8: sigmas_of(8)}, {8: some_coefficients(8)}),
            sigmas_of(8) * 0.9,
            "another list of sigmas",
        ),
        (
            PresetCoefficients({8: sigmas_of(8)}, {8: some_coefficients(8)}),
            sigmas_of(8)[[0, 2, 3, 4, 5, 6, 7, 8]],
            "another list of sigmas",
        ),
    ],
)
def test_without_coefficients_for_these_sigmas_it_runs_as_dpmpp_2m_and_says_why(preset, sigmas, words):
    said: list[str] = []
    x = start(2, 1, 4, 4)
    end = sample_sigmasmith_multistep(curved, x, sigmas, coefficients=preset, warn=said.append)
    assert torch.equal(end, own_sampler("dpmpp_2m")(curved, x, sigmas))
    assert len(said) == 1
    assert words in said[0]


def test_a_run_that_stops_early_takes_the_first_rows():
    sigmas, coefficients = sigmas_of(8), some_coefficients(8)
    preset = PresetCoefficients({8: sigmas}, {8: coefficients})
    found = preset.rows(sigmas[:5])
    assert found is not None
    assert torch.equal(found, coefficients[:4])


@pytest.mark.parametrize(("first", "learned"), [(1, 6), (3, 4), (6, 1)])
def test_a_run_that_starts_late_runs_what_needs_no_history(first, learned):
    sigmas, coefficients = sigmas_of(8), some_coefficients(8)
    rows = PresetCoefficients({8: sigmas}, {8: coefficients}).rows(sigmas[first:])
    assert rows is not None
    assert rows.shape == (8 - first, 4)
    assert not rows[0, 2:].any()  # outputs of before
    own = parameters_of(coefficients, sigmas) - dpmpp_2m_parameters(sigmas, 3)
    kept = parameters_of(rows, sigmas[first:]) - dpmpp_2m_parameters(sigmas[first:], 3)
    assert np.abs(kept[:, -2:]).max() < 1e-4  # what makes up for the errors of steps before
    np.testing.assert_allclose(kept[-learned:, 0], own[-learned:, 0], atol=1e-5)
    assert np.abs(kept[:-learned, :2]).max() < 1e-5  # the first step, and all but the last of a run this late


def test_sigmas_that_went_through_a_hosts_arithmetic_are_still_known():
    sigmas = sigmas_of(8)
    preset = PresetCoefficients({8: sigmas}, {8: some_coefficients(8)})
    assert preset.rows(sigmas * (1.0 + 1e-4)) is not None
