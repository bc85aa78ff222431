"""The trained networks: each beats what learned nothing, on data it never saw; and the layers they are made of."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.zoo.judge import denoising_error, probe_values
from sigmasmith.benchmarks.zoo.members import MEMBERS, NETWORKS
from sigmasmith.benchmarks.zoo.network import Autoencoder
from sigmasmith.benchmarks.zoo.recipes import RANGES, RECIPES, Recipe, build_denoiser
from sigmasmith.benchmarks.zoo.spectra import wiener_denoiser
from sigmasmith.benchmarks.zoo.weights import read_trained

# Better than the linear denoiser on the photographs held out of its training, not on scikit-learn's two at noise 10.
NOT_ON_OTHER_PICTURES = {"photographs32_eps"}


@pytest.mark.parametrize("name", [name for name in NETWORKS if not MEMBERS[name].distilled])
def test_a_network_was_better_than_the_linear_denoiser_on_pictures_held_out_of_its_training(name):
    member = MEMBERS[name]
    assert member.held_out_loss is not None
    assert member.wiener_loss is not None
    assert member.held_out_loss < member.wiener_loss


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if not MEMBERS[name].distilled and name not in NOT_ON_OTHER_PICTURES]
)
def test_a_network_denoises_unseen_data_better_than_zero_and_than_the_wiener_filter(name):
    network = read_trained(name)
    values, labels = probe_values(network)
    error = denoising_error(network.denoiser, network.denoiser, values, labels)
    wiener = wiener_denoiser(network.mean, network.spectrum, flow=network.denoiser.flow)
    # D = 0 is off by the data's own mean square.
    assert error < 0.5 * values.square().mean()
    assert error < denoising_error(network.denoiser, wiener, values)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_knows_its_whole_range(name):
    network = read_trained(name)
    values, _ = probe_values(network)
    clean = values[:4]
    for level in (network.denoiser.sigma_min, network.denoiser.sigma_max):
        sigma = torch.full((4,), level)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        denoised = network.denoiser(network.denoiser.noised(clean, noise, sigma), sigma)
        assert denoised.square().mean() < 4 * values.square().mean()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_does_not_depend_on_the_other_rows(name):
    denoiser, shape = read_trained(name).denoiser, MEMBERS[name].shape
    x, sigma = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)), torch.tensor([0.1, 0.5, 0.9])
    together = denoiser(x, sigma)
    for row in range(3):
        torch.testing.assert_close(
            denoiser(x[row : row + 1], sigma[row : row + 1])[0], together[row], rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_says_how_it_was_made(name):
    settings = read_trained(name).settings
    assert Recipe(**settings["recipe"]) == RECIPES[name]
    assert settings["minutes"] > 0


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_a_denoiser_that_starts_at_its_trivial_answer(name):
    recipe = RECIPES[name]
    denoiser = build_denoiser(recipe, 4, 16, 3)
    assert (denoiser.sigma_max, denoiser.flow) == (RANGES[recipe.range].sigma_max, RANGES[recipe.range].flow)
    x, sigma = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, 0.6])
    denoised = denoiser(x, sigma, labels=torch.tensor([0, 2]), cfg=2.0)
    # The last layer starts at 0: D = x, and for v the best answer for white data of variance 1.
    expected = x / (1 + sigma[:, None, None, None] ** 2) if recipe.prediction == "v" else x
    torch.testing.assert_close(denoised, expected)


@pytest.mark.parametrize("name", ["clipart16_eps", "emoji16_v", "photographs16_flow"])
def test_the_loss_weight_gives_the_networks_target_the_same_weight_at_every_level(name):
    recipe = RECIPES[name]
    denoiser = build_denoiser(recipe, 1, 16, 0)
    x, sigma = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([0.05, 0.4, 0.9])
    # The last layer starts at 0; a bias of 1 moves every output by 1.
    before = denoiser(x, sigma)
    torch.nn.init.ones_(denoiser.network.get_submodule("out").get_parameter("bias"))
    apart = (denoiser(x, sigma) - before).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(denoiser.loss_weight(sigma) * apart, torch.ones(3))


def test_an_untrained_autoencoder_halves_twice_and_comes_back():
    autoencoder = Autoencoder(8)
    latents = autoencoder.encode(torch.zeros(2, 3, 32, 32))
    assert latents.shape == (2, 4, 8, 8)
    assert autoencoder.decode(latents).shape == (2, 3, 32, 32)
