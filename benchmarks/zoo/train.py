"""Train one network of the zoo on one core; the arrays of `data` have to be there.

python -P -m sigmasmith.benchmarks.zoo.train NAME
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from ...demo.models.network import UNet
from ...demo.models.train import train
from .data import PICTURE_SETS, Part, load_pictures
from .judge import denoising_error
from .network import PredictingDenoiser
from .recipes import RECIPES, Recipe, build_denoiser
from .spectra import to_cosines, wiener_denoiser
from .weights import PROBE_ROWS, TrainedNetwork, read_autoencoder, weight_file, write_trained

_LABEL_DROPOUT = 0.15
# Share of the training levels that is spread evenly over the range, without which the far end of a wide one is never
# seen; and where that ends for flow, in s / (1 - s).
_EVEN, _FLOW_TOP = 0.15, 1e3


@dataclass(frozen=True)
class Samples:
    """Training or held-out data as the network sees it: standard deviation about 1."""

    values: Tensor
    labels: Tensor
    centre: float
    scale: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks.zoo.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[name for name, recipe in RECIPES.items() if recipe.teacher is None])
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
    data, held_out = load_samples(recipe)
    _, channels, size, _ = data.values.shape
    classes = len(PICTURE_SETS[recipe.data].classes) if recipe.with_classes else 0
    denoiser = build_denoiser(recipe, channels, size, classes)
    start = time.process_time()
    denoiser = train(
        denoiser,
        _loss_at(recipe.log_sigma, recipe.spread),
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


def load_samples(recipe: Recipe) -> tuple[Samples, Samples]:
    """Training and held-out data, moved and scaled by two numbers of the training part."""
    parts: tuple[Part, ...] = ("train", "held_out")
    (seen, labels), (unseen, unseen_labels) = (load_pictures(recipe.data, recipe.size, part) for part in parts)
    if recipe.autoencoder is not None:
        encode = read_autoencoder(recipe.autoencoder)[0].encode
        seen, unseen = (torch.cat([encode(rows) for rows in images.split(256)]) for images in (seen, unseen))
    if not recipe.with_classes:
        labels, unseen_labels = torch.zeros_like(labels), torch.zeros_like(unseen_labels)
    centre, scale = round(seen.mean().item(), 4), round(seen.std().item(), 4)
    return (
        Samples((seen - centre) / scale, labels, centre, scale),
        Samples((unseen - centre) / scale, unseen_labels, centre, scale),
    )


def _loss_at(log_sigma: float, spread: float) -> Callable[[PredictingDenoiser, Tensor, Tensor, Generator], Tensor]:
    """The training loss at levels of that centre and spread."""

    def loss(denoiser: PredictingDenoiser, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        dropped = torch.rand(len(labels), generator=generator) < _LABEL_DROPOUT
        labels = labels.masked_fill(dropped | torch.tensor(denoiser.arch.classes == 0), denoiser.arch.classes)
        sigma = draw_levels(denoiser, (log_sigma, spread), len(images), generator)
        noised = denoiser.noised(images, torch.randn(images.shape, generator=generator), sigma)
        # bfloat16 products make a U-Net a third faster on processors that have them, and a transformer slower.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=isinstance(denoiser.network, UNet)):
            denoised = denoiser(noised, sigma, labels=labels)
        return (denoiser.loss_weight(sigma) * (denoised - images).square().mean(dim=(1, 2, 3))).mean()

    return loss


def draw_levels(denoiser: PredictingDenoiser, normal: tuple[float, float], rows: int, generator: Generator) -> Tensor:
    """Training levels (rows,) within the denoiser's range; `normal` is centre and spread of their logarithm."""
    ends = [denoiser.sigma_min, denoiser.sigma_max]
    if denoiser.flow:
        ends = [ends[0] / (1 - ends[0]), _FLOW_TOP]
    low, high = torch.tensor(ends).log()
    middle = (normal[0] + normal[1] * torch.randn(rows, generator=generator)).clamp(low, high)
    even = low + (high - low) * torch.rand(rows, generator=generator)
    level = torch.where(torch.rand(rows, generator=generator) < _EVEN, even, middle).exp()
    return level / (1 + level) if denoiser.flow else level


if __name__ == "__main__":
    main()
