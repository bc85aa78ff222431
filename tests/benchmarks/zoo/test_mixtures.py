"""The mixtures of pictures are exact, keep rows apart and have the standard deviation they are told."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.zoo.members import MIXTURES
from sigmasmith.benchmarks.zoo.mixtures import (
    MixtureSettings,
    mixture_subject,
    picture_mixture,
    random_settings,
    sample_mixture,
)
from sigmasmith.benchmarks.zoo.recipes import RANGES
from sigmasmith.benchmarks.zoo.spectra import CosineDenoiser, cosine_matrix, from_cosines, to_cosines
from sigmasmith.benchmarks.zoo.templates import NEEDS_ARRAYS

SMALL = MixtureSettings("shapes", 8, 2, 1.0, "sd", modes=6, classes=2, seed=3)
FLOW = MixtureSettings("shapes", 8, 2, 0.0, "flow2", flatten=2.0, modes=6, classes=2, seed=4)
BUILT_ANYWHERE = {name: settings for name, settings in MIXTURES.items() if settings.source not in NEEDS_ARRAYS}


def brute_force(settings, x, sigma, label=None):
    """E[clean | x] from dense covariances over pixels, one row and one mode at a time."""
    mixture = picture_mixture(settings)
    size, flow = settings.size, RANGES[settings.range].flow
    basis = torch.kron(torch.eye(settings.channels, dtype=torch.float64), torch.kron(*[cosine_matrix(size)] * 2))
    alpha = 1 - sigma if flow else 1.0
    logs, estimates = [], []
    for mean, variance, mode in zip(mixture.means, mixture.variances, mixture.classes.tolist()):
        if label is not None and mode != label:
            continue
        centre, covariance = basis.T @ mean, basis.T @ torch.diag(variance) @ basis
        total = alpha**2 * covariance + sigma**2 * torch.eye(len(centre), dtype=torch.float64)
        away = x - alpha * centre
        solved = torch.linalg.solve(total, away)
        logs.append(-0.5 * (away @ solved + torch.linalg.slogdet(total).logabsdet))
        estimates.append(centre + alpha * covariance @ solved)
    return torch.softmax(torch.stack(logs), 0) @ torch.stack(estimates)


@pytest.mark.parametrize("settings", [SMALL, FLOW], ids=["ve", "flow"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.slow
def test_a_mixture_of_pictures_is_the_exact_denoiser(settings, guidance):
    subject = mixture_subject("small", settings, guidance)
    data = from_cosines(sample_mixture(picture_mixture(settings), 4, 0).reshape(4, *subject.shape))
    draw = torch.Generator().manual_seed(0)
    for sigma in (0.1, 0.5, 0.9):
        flow = subject.sigma_range.flow
        x = (1 - sigma if flow else 1.0) * data + sigma * torch.randn(data.shape, dtype=torch.float64, generator=draw)
        denoised = subject.denoiser(x, torch.full((4,), sigma, dtype=torch.float64), **subject.extra_args(4))
        for row in range(4):
            flat = x[row].flatten()
            own, whole = brute_force(settings, flat, sigma, row % 2), brute_force(settings, flat, sigma)
            expected = whole + guidance * (own - whole)
            torch.testing.assert_close(denoised[row].flatten(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("settings", [SMALL, FLOW], ids=["ve", "flow"])
def test_float32_agrees_with_float64(settings):
    subject = mixture_subject("small", settings, 3.0)
    x, sigma, args = subject.noise(8, 0).double(), torch.linspace(0.05, 0.95, 8), subject.extra_args(8)
    double = subject.denoiser(x, sigma, **args)
    single = subject.denoiser(x.float(), sigma, **args)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("settings", [SMALL, FLOW], ids=["ve", "flow"])
def test_a_row_does_not_depend_on_the_other_rows(settings):
    subject = mixture_subject("small", settings, 3.0)
    x, sigma = subject.noise(6, 0).double(), torch.linspace(0.1, 0.9, 6, dtype=torch.float64)
    labels = subject.extra_args(6)["labels"]
    together = subject.denoiser(x, sigma, labels=labels)
    for row in range(6):
        alone = subject.denoiser(x[row : row + 1], sigma[row : row + 1], labels=labels[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", BUILT_ANYWHERE)
@pytest.mark.slow
def test_data_have_the_standard_deviation_that_was_told(name):
    settings = MIXTURES[name]
    values = sample_mixture(picture_mixture(settings), 128, 1)
    assert values.std() / settings.std == pytest.approx(1.0, abs=0.06)


def test_an_exponent_of_zero_is_flat_within_the_modes_and_two_is_not():
    flat, natural = (
        picture_mixture(MixtureSettings("shapes", 16, 1, exponent, "sd", modes=4, classes=1)).variances
        for exponent in (0.0, 2.0)
    )
    assert flat.std(dim=1).max() < 1e-12
    assert (natural.max(dim=1).values / natural.min(dim=1).values).min() > 100


def test_cosines_keep_lengths_and_come_back():
    x = torch.randn(2, 3, 8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_cosines(x).square().sum(), x.square().sum())
    torch.testing.assert_close(from_cosines(to_cosines(x)), x)
    identity = CosineDenoiser(lambda flat, sigma: flat)
    torch.testing.assert_close(identity(x, torch.ones(2)), x)


def test_random_settings_repeat_and_differ():
    drawn = [random_settings(seed, ("shapes", "letters")) for seed in range(40)]
    assert drawn == [random_settings(seed, ("shapes", "letters")) for seed in range(40)]
    assert {settings.range for settings in drawn} == set(RANGES)
    assert {settings.size for settings in drawn} == {8, 16, 32, 64}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"range": "none"}, "range"), ({"within": 1.0}, "within"), ({"classes": 7}, "classes")],
)
def test_settings_that_cannot_be_are_refused(change, message):
    given = {"source": "shapes", "size": 8, "channels": 1, "exponent": 1.0, "range": "sd", "modes": 6, **change}
    with pytest.raises(ValueError, match=message):
        MixtureSettings(**given)
