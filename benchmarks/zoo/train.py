"""Train one network of the zoo on one core; the arrays of `data` have to be there.

python -P -m sigmasmith.benchmarks.zoo.train NAME
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from ...demo.models.train import draw_sigmas, train
from .data import PICTURE_SETS, Part, load_pictures
from .network import PredictingDenoiser
from .recipes import RECIPES, Recipe, build_denoiser
from .spectra import to_cosines, wiener_denoiser
from .weights import PROBE_ROWS, TrainedNetwork, read_autoencoder, weight_file, write_trained

_LABEL_DROPOUT = 0.15
# Of the training levels of noise prediction and v: centre and spread of log sigma for data of standard deviation 1,
# and the share that is spread evenly in log sigma, without which the far end of a wide range is never seen.
_LOG_SIGMA, _EVEN = (0.2, 1.6), 0.15
_JUDGED_LEVELS = 8


@dataclass(frozen=True)
class Samples:
    """Training or held-out data as the network sees it: standard deviation about 1."""

    values: Tensor
    labels: Tensor
    centre: float
    scale: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sigmasmith.benchmarks.zoo.train", description=__doc__)
    parser.add_argument("name", choices=tuple(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=None, help="default: the recipe's")
    parser.add_argument("--out", type=Path, default=None, help="default: the zoo's own file")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    recipe = RECIPES[args.name]
    if args.iterations:
        recipe = replace(recipe, iterations=args.iterations)
    network = train_recipe(recipe, args.seed)
    print({key: network.settings[key] for key in ("held_out_loss", "wiener_loss", "minutes")})
    write_trained(args.out or weight_file(args.name), recipe, network)


def train_recipe(recipe: Recipe, seed: int) -> TrainedNetwork:
    """The moving average of the weights after the recipe's iterations, with its losses on seen and held-out data."""
    data, held_out = load_samples(recipe, "train"), load_samples(recipe, "held_out")
    _, channels, size, _ = data.values.shape
    classes = len(PICTURE_SETS[recipe.data].classes) if recipe.with_classes else 0
    denoiser = build_denoiser(recipe, channels, size, classes)
    start = time.process_time()
    denoiser = train(
        denoiser,
        _loss,
        data.values,
        data.labels,
        iterations=recipe.iterations,
        seed=seed,
        batch=recipe.batch,
        peak_rate=recipe.peak_rate,
    )
    minutes = (time.process_time() - start) / 60
    coefficients = to_cosines(data.values)
    mean, spectrum = coefficients.mean(0), coefficients.var(0)
    wiener = wiener_denoiser(mean, spectrum, flow=denoiser.flow)
    losses = {
        "train_loss": denoising_error(denoiser, denoiser, data.values, data.labels),
        "held_out_loss": denoising_error(denoiser, denoiser, held_out.values, held_out.labels),
        "wiener_loss": denoising_error(denoiser, wiener, held_out.values, None),
    }
    settings = {
        "shape": [channels, size, size],
        "classes": classes,
        "centre": data.centre,
        "scale": data.scale,
        "seed": seed,
        "minutes": round(minutes, 1),
        **{name: round(loss, 5) for name, loss in losses.items()},
    }
    rows = slice(0, 0) if recipe.data == "photographs" else slice(0, PROBE_ROWS)
    order = torch.randperm(len(held_out.values), generator=torch.Generator().manual_seed(1))[rows]
    probe, labels = (held_out.values[order], held_out.labels[order]) if len(order) else (None, None)
    return TrainedNetwork(denoiser, settings, mean, spectrum, probe, labels)


def load_samples(recipe: Recipe, part: Part) -> Samples:
    """The recipe's data, moved and scaled by two numbers of its training part."""
    images, labels = load_pictures(recipe.data, recipe.size, part)
    if not recipe.with_classes:
        labels = torch.zeros_like(labels)
    if recipe.autoencoder is not None:
        autoencoder, _ = read_autoencoder(recipe.autoencoder)
        return Samples(torch.cat([autoencoder.encode(rows) for rows in images.split(256)]), labels, 0.0, 1.0)
    seen = images if part == "train" else load_pictures(recipe.data, recipe.size, "train")[0]
    centre, scale = round(seen.mean().item(), 4), round(seen.std().item(), 4)
    return Samples((images - centre) / scale, labels, centre, scale)


def denoising_error(model: PredictingDenoiser, judged: object, values: Tensor, labels: Tensor | None) -> float:
    """Mean square error of `judged` in units of the data's variance, averaged over eight levels even in log sigma
    (flow: in log of s / (1 - s)), from .1 to 10, on 512 fixed draws."""
    assert callable(judged)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(values), (512,), generator=generator)
    clean, extra = values[rows], {} if labels is None else {"labels": labels[rows]}
    errors = []
    for level in torch.logspace(-1, 1, _JUDGED_LEVELS):
        sigma = (level / (1 + level) if model.flow else level).expand(len(rows))
        noised = model.noised(clean, torch.randn(clean.shape, generator=generator), sigma)
        errors.append((judged(noised, sigma, **extra) - clean).square().mean().item())
    return sum(errors) / len(errors)


def _loss(denoiser: PredictingDenoiser, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    dropped = torch.rand(len(labels), generator=generator) < _LABEL_DROPOUT
    labels = labels.masked_fill(dropped | torch.tensor(denoiser.arch.classes == 0), denoiser.arch.classes)
    sigma = _training_sigmas(denoiser, len(images), generator)
    noised = denoiser.noised(images, torch.randn(images.shape, generator=generator), sigma)
    # bfloat16 products make a U-Net a third faster on processors that have them, and a transformer slower.
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not hasattr(denoiser.network, "blocks")):
        denoised = denoiser(noised, sigma, labels=labels)
    return (denoiser.loss_weight(sigma) * (denoised - images).square().mean(dim=(1, 2, 3))).mean()


def _training_sigmas(denoiser: PredictingDenoiser, rows: int, generator: Generator) -> Tensor:
    if denoiser.flow:
        return draw_sigmas(denoiser, rows, generator)
    low, high = torch.tensor([denoiser.sigma_min, denoiser.sigma_max]).log()
    centre, spread = _LOG_SIGMA
    middle = (centre + spread * torch.randn(rows, generator=generator)).clamp(low, high)
    even = low + (high - low) * torch.rand(rows, generator=generator)
    return torch.where(torch.rand(rows, generator=generator) < _EVEN, even, middle).exp()


if __name__ == "__main__":
    main()
