"""Data, training and files, on a few random pictures instead of the packages' own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.zoo.data import PICTURE_SETS, load_pictures
from sigmasmith.benchmarks.zoo.distill import draw_trajectories
from sigmasmith.benchmarks.zoo.members import zoo_subject
from sigmasmith.benchmarks.zoo.pictures import cut_lowercase
from sigmasmith.benchmarks.zoo.recipes import RANGES, RECIPES, Recipe, build_denoiser
from sigmasmith.benchmarks.zoo.sheet import write_sheet
from sigmasmith.benchmarks.zoo.train import draw_levels, train_recipe
from sigmasmith.benchmarks.zoo.weights import read_trained, write_trained

TINY = Recipe("clipart", 16, "v", "sd", "unet", 8, 4, iterations=3, batch=4, with_classes=True)


@pytest.fixture
def few_pictures(tmp_path, monkeypatch):
    """24 random pictures of 12 sources where the arrays are looked for."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(24, 16, 16, 3), dtype=np.uint8)
    folder = tmp_path / "out" / "zoo"
    folder.mkdir(parents=True)
    np.savez(folder / "clipart_16.npz", pixels=pixels, labels=np.arange(24) % 3, sources=np.arange(24) // 2)
    monkeypatch.chdir(tmp_path)
    return pixels


def test_every_sixth_source_is_held_out_with_all_its_pictures(few_pictures):
    held_out, labels = load_pictures("clipart", 16, "held_out")
    train, _ = load_pictures("clipart", 16, "train")
    assert (len(held_out), len(train)) == (4, 20)
    assert labels.tolist() == [0, 1, 0, 1]
    expected = torch.from_numpy(few_pictures[[0, 1, 12, 13]]).permute(0, 3, 1, 2) / 127.5 - 1
    torch.testing.assert_close(held_out, expected)


@pytest.mark.slow
def test_a_recipe_trains_repeatably_and_its_file_comes_back(few_pictures, tmp_path):
    torch.manual_seed(0)
    network = train_recipe(TINY, seed=0)
    torch.manual_seed(0)
    again = train_recipe(TINY, seed=0)
    for key, value in network.denoiser.state_dict().items():
        assert torch.equal(value, again.denoiser.state_dict()[key])
    write_trained(tmp_path / "tiny.safetensors", TINY, network)
    back = read_trained("tiny", folder=tmp_path)
    assert back.settings["held_out_loss"] == network.settings["held_out_loss"]
    assert back.settings["classes"] == len(PICTURE_SETS["clipart"].classes)
    assert back.probe is not None
    assert network.probe is not None
    torch.testing.assert_close(back.probe, network.probe, rtol=1e-3, atol=1e-3)
    x, sigma, labels = (
        torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0.2, 3.0]),
        torch.tensor([0, 2]),
    )
    expected = network.denoiser(x, sigma, labels=labels)
    torch.testing.assert_close(back.denoiser(x, sigma, labels=labels), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_photographs_leave_no_probe(few_pictures):
    (Path("out/zoo") / "clipart_16.npz").rename("out/zoo/photographs_16.npz")
    assert train_recipe(replace(TINY, data="photographs", with_classes=False), seed=0).probe is None


@pytest.mark.parametrize("name", RANGES)
def test_training_levels_lie_in_the_range_and_reach_its_far_parts(name):
    limits = RANGES[name]
    recipe = replace(TINY, range=name, prediction="flow" if limits.flow else "v")
    levels = draw_levels(build_denoiser(recipe, 3, 16, 0), (-0.4, 1.5), 4096, torch.Generator().manual_seed(0))
    assert levels.min() >= limits.sigma_min * 0.999
    assert levels.max() <= limits.sigma_max * 1.001
    log = (levels / (1 - levels)).log() if limits.flow else levels.log()
    top = 6.9 if limits.flow else float(np.log(limits.sigma_max))
    assert (log > 0.9 * top).float().mean() > 0.005
    assert log.median() == pytest.approx(-0.4, abs=0.5)


@pytest.mark.slow
def test_small_letters_are_the_same_every_time():
    pixels, labels, sources = cut_lowercase(Path("/"), 16)
    assert pixels.shape == (26 * 480, 16, 16, 1)
    assert len(np.unique(sources)) == len(labels)
    assert np.bincount(labels).tolist() == [480] * 26


def test_trajectories_start_at_the_noise_and_end_with_the_end():
    states, sigmas, labels = draw_trajectories(zoo_subject("digits_eps", 1.0), rows=4, at_once=2)
    assert states.shape == (4, len(sigmas) + 1, 1, 8, 8)
    assert states[:, 0].std() == pytest.approx(float(sigmas[0]), rel=0.3)
    assert states[:, -1].abs().max() < 2
    assert labels.tolist() == [0, 1, 0, 1]


def test_every_distilled_network_has_its_teachers_shape():
    for recipe in RECIPES.values():
        if recipe.teacher is not None:
            teacher = RECIPES[recipe.teacher]
            assert replace(teacher, teacher=recipe.teacher) == replace(
                recipe, iterations=teacher.iterations, peak_rate=teacher.peak_rate
            )


def test_a_sheet_holds_every_picture(tmp_path):
    from PIL import Image

    write_sheet(torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 1, 16, 16), tmp_path / "sheet.png")
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.size == (192, 128)
    assert [sheet.getpixel((at, 0)) for at in (0, 64)] == [(0, 0, 0), (64, 64, 64)]
