"""The bundled demo models keep k-diffusion's denoiser contract and say how they were trained."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sigmasmith.demo import DEMO_NAMES, DemoModel, load_classifier, load_demo
from sigmasmith.demo.models.data import DATA_SETS, load_data
from sigmasmith.demo.models.network import Architecture, EpsDenoiser
from sigmasmith.demo.models.train import ITERATIONS, PATCH, draw_sigmas
from sigmasmith.demo.models.weights import FOLDER, describe, read_network, write_network
from torch import Tensor

CLASSIFIERS = ("digits", "glyphs")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small gain little from a second thread, and on a busy machine waiting for it costs seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=DEMO_NAMES, scope="module")
def model(request: pytest.FixtureRequest) -> DemoModel:
    return load_demo(request.param)


def batch(model: DemoModel, rows: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of noise at levels over the whole range, sigma_min and sigma_max included, and labels."""
    generator = torch.Generator().manual_seed(3)
    sigma = torch.logspace(0, 1, rows).sub(1).div(9).mul(model.sigma_max - model.sigma_min).add(model.sigma_min)
    x = torch.randn(rows, *model.shape, generator=generator) * sigma.reshape(-1, 1, 1, 1)
    return x, sigma, torch.randint(model.classes, (rows,), generator=generator)


def test_denoised_has_the_shape_dtype_and_device_of_x(model: DemoModel) -> None:
    x, sigma, labels = batch(model)
    for dtype in (torch.float32, torch.float64):
        denoised = model.denoiser(x.to(dtype), sigma.to(dtype), labels=labels, cfg=3.0)
        assert denoised.shape == x.shape
        assert denoised.dtype == dtype
        assert denoised.device == x.device
        assert denoised.isfinite().all()


def test_a_row_alone_equals_the_row_in_a_batch(model: DemoModel) -> None:
    x, sigma, labels = batch(model)
    for cfg in (1.0, 3.0):
        together = model.denoiser(x, sigma, labels=labels, cfg=cfg)
        alone = [
            model.denoiser(x[i : i + 1], sigma[i : i + 1], labels=labels[i : i + 1], cfg=cfg) for i in range(len(x))
        ]
        torch.testing.assert_close(torch.cat(alone), together, rtol=1e-5, atol=1e-5)


def test_guidance_of_one_equals_the_conditional_and_zero_the_unconditional(model: DemoModel) -> None:
    x, sigma, labels = batch(model)
    cond, uncond = model.denoiser(x, sigma, labels=labels), model.denoiser(x, sigma)
    assert torch.equal(model.denoiser(x, sigma, labels=labels, cfg=1.0), cond)
    torch.testing.assert_close(model.denoiser(x, sigma, labels=labels, cfg=1 + 1e-6), cond, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.denoiser(x, sigma, labels=labels, cfg=0.0), uncond, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        model.denoiser(x, sigma, labels=labels, cfg=3.0), uncond + 3 * (cond - uncond), rtol=1e-4, atol=1e-4
    )
    assert (cond - uncond).abs().max() > 0.05


def test_denoised_at_sigma_min_is_close_to_a_clean_image(model: DemoModel) -> None:
    # Drawing the glyphs anew takes seconds and needs matplotlib: any smooth image serves.
    images = torch.linspace(-1, 1, model.shape[-1]).expand(1, *model.shape)
    sigma = torch.full((1,), model.sigma_min)
    denoised = model.denoiser(images, sigma, labels=torch.zeros(1, dtype=torch.long))
    assert (denoised - images).square().mean().sqrt() < 2 * model.sigma_min


def test_denoised_from_a_held_out_digit_is_nearer_to_it_than_the_noisy_image() -> None:
    pytest.importorskip("sklearn")
    images, labels = load_data("digits", "held_out")
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    for name in ("digits_eps", "digits_flow"):
        denoiser = load_demo(name).denoiser
        for level, at_most in ((0.1, 0.095), (0.5, 0.31)):
            sigma = torch.full((len(images),), level)
            denoised = denoiser(denoiser.noised(images, noise, sigma), sigma, labels=labels)
            assert (denoised - images).square().mean().sqrt() < at_most, (name, level)


def test_gradients_reach_x_and_no_weight() -> None:
    model = load_demo("digits_eps")
    x, sigma, labels = batch(model)
    assert not model.denoiser(x, sigma, labels=labels).requires_grad
    x.requires_grad_()
    model.denoiser(x, sigma, labels=labels).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(parameter.grad is None for parameter in model.denoiser.parameters())


def test_sigma_or_labels_of_the_wrong_shape_are_refused() -> None:
    model = load_demo("digits_flow")
    x, sigma, labels = batch(model)
    with pytest.raises(ValueError, match=r"sigma has shape \(\)"):
        model.denoiser(x, sigma[0])
    with pytest.raises(ValueError, match=r"labels has shape \(2,\)"):
        model.denoiser(x, sigma, labels=labels[:2])
    with pytest.raises(ValueError, match="letters"):
        load_demo("letters")
    with pytest.raises(ValueError, match="letters"):
        load_classifier("letters")


def test_bundled_files_load_and_name_their_training_settings(model: DemoModel) -> None:
    data, kind = model.name.split("_")
    settings = model.settings
    assert (settings["data"], settings["kind"], settings["seed"]) == (data, kind, 0)
    assert settings["iterations"] == ITERATIONS[data, kind]
    assert model.shape == DATA_SETS[data].shape
    assert model.classes == len(DATA_SETS[data].classes)
    assert settings["architecture"] == describe(Architecture(1, model.shape[-1], model.classes, patch=PATCH[data]))
    assert settings["train_loss"] <= settings["held_out_loss"] < 0.4
    assert model.flow == (kind == "flow")
    assert (model.sigma_min, model.sigma_max) == pytest.approx(
        (0.001, 1.0) if model.flow else (0.0292, 14.6146), rel=3e-3
    )
    assert all(
        parameter.dtype == torch.float32 and not parameter.requires_grad for parameter in model.denoiser.parameters()
    )


def test_bundled_metadata_is_one_canonical_key_and_all_files_stay_small() -> None:
    files = sorted(FOLDER.glob("*.safetensors"))
    assert len(files) == len(DEMO_NAMES) + len(CLASSIFIERS)
    assert sum(file.stat().st_size for file in files) < 8_000_000
    for file in files:
        blob = file.read_bytes()
        metadata = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])["__metadata__"]
        assert list(metadata) == ["demo"]
        assert metadata["demo"] == json.dumps(json.loads(metadata["demo"]), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("data", CLASSIFIERS)
def test_classifier_gives_logits_and_features_row_by_row(data: str) -> None:
    classifier = load_classifier(data)
    images = torch.rand(5, *DATA_SETS[data].shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    logits, features = classifier(images)
    assert logits.shape == (5, len(DATA_SETS[data].classes))
    assert features.shape == (5, 64)
    torch.testing.assert_close(classifier(images[2:3])[0], logits[2:3], rtol=1e-5, atol=1e-5)


def test_classifier_reads_held_out_digits() -> None:
    pytest.importorskip("sklearn")
    images, labels = load_data("digits", "held_out")
    logits, _ = load_classifier("digits")(images)
    assert (logits.argmax(dim=1) == labels).float().mean() > 0.97


def test_written_network_is_read_back_equal_within_float16(tmp_path: Path) -> None:
    arch = Architecture(1, 8, 3, width=8)
    torch.manual_seed(0)
    network = EpsDenoiser(arch, 0.5)
    settings = {"kind": "eps", "architecture": describe(arch), "sigma_data": 0.5}
    write_network(tmp_path / "a.safetensors", network.state_dict(), settings)
    again, read = read_network(tmp_path / "a.safetensors")
    assert read == settings
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    for key, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[key], value.half().float()), key


@pytest.mark.parametrize("name", ["digits_eps", "digits_flow"])
def test_training_noise_levels_cover_the_models_range_and_no_more(name: str) -> None:
    denoiser = load_demo(name).denoiser
    sigma = draw_sigmas(denoiser, 20_000, torch.Generator().manual_seed(0))
    low, high = denoiser.sigma_min, denoiser.sigma_max
    assert sigma.min() >= low * (1 - 1e-5)
    assert sigma.max() <= high * (1 + 1e-5)
    assert sigma.min() < 1.3 * low
    assert sigma.max() > 0.9 * high
