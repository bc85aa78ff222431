"""Train one of the demo's networks.

python -m sigmasmith.demo.models.train --data digits --kind eps --out demo/models/digits_eps.safetensors
"""

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from .data import DATA_SETS, load_data
from .network import Architecture, Classifier, Denoiser
from .weights import build_network, count_parameters, describe, write_network

# Iterations the bundled files were trained with.
ITERATIONS = {
    ("digits", "eps"): 8_000,
    ("digits", "flow"): 8_000,
    ("digits", "classifier"): 1_500,
    ("glyphs", "eps"): 5_000,
    ("glyphs", "flow"): 5_000,
    ("glyphs", "classifier"): 1_500,
}
# 16x16 glyphs are folded to 8x8 with four channels, so that both sets cost the same.
PATCH = {"digits": 1, "glyphs": 2}

_BATCH = 128
_PEAK_RATE = 2e-3
_WARM_UP = 200
_EMA = 0.999
_LABEL_DROPOUT = 0.15
_REPORT_EVERY = 500
# Centre and spread of log sigma for noise prediction: EDM's (-1.2, 1.2) moved up and widened, because that one hardly
# ever visits the upper end of SD's range, where every trajectory of a sampler begins.
_LOG_SIGMA = (-0.4, 1.5)
_SHIFT = 3.0
_CLASSIFIER_NOISE = 0.15

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def main(argv: Sequence[str] | None = None) -> None:
    args = _parse(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    images, labels = load_data(args.data, "train")
    settings = _settings(args, images)
    network = build_network(settings)
    print(f"{args.data} {args.kind}: {len(images)} images, {count_parameters(network)} parameters", flush=True)
    held_out = load_data(args.data, "held_out")
    loss_of = _classifier_loss if args.kind == "classifier" else _denoiser_loss
    average = train(network, loss_of, images, labels, iterations=settings["iterations"], seed=args.seed)
    if args.kind == "classifier":
        results = {"held_out_accuracy": held_out_accuracy(average, *held_out)}
    else:
        results = {
            "train_loss": denoiser_score(average, images, labels),
            "held_out_loss": denoiser_score(average, *held_out),
        }
    print(results)
    settings |= {name: round(value, 4) for name, value in results.items()}
    write_network(args.out, average.state_dict(), settings)
    print(f"wrote {args.out}, {args.out.stat().st_size} bytes")


def train(
    network: NetworkT,
    loss_of: Callable[[NetworkT, Tensor, Tensor, Generator], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    iterations: int,
    seed: int,
    batch: int = _BATCH,
    peak_rate: float = _PEAK_RATE,
) -> NetworkT:
    """Adam with a linear warm-up and a cosine decay to zero; returns the moving average of the weights."""
    generator = torch.Generator().manual_seed(seed)
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=peak_rate, betas=(0.9, 0.99))
    seen, start = 0.0, time.perf_counter()
    for iteration in range(iterations):
        warm_up, cosine = min(1.0, (iteration + 1) / _WARM_UP), math.cos(math.pi * iteration / iterations)
        for group in optimizer.param_groups:
            group["lr"] = peak_rate * warm_up * (1 + cosine) / 2
        rows = torch.randint(len(images), (batch,), generator=generator)
        loss = loss_of(network, images[rows], labels[rows], generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        # A short memory at first, or the average would never forget the initial weights.
        decay = min(_EMA, (1 + iteration) / (10 + iteration))
        with torch.no_grad():
            torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)
        seen += loss.item()
        if (iteration + 1) % _REPORT_EVERY == 0:
            elapsed = time.perf_counter() - start
            print(f"{iteration + 1:6d}  loss {seen / _REPORT_EVERY:.4f}  {elapsed:.0f} s", flush=True)
            seen = 0.0
    return averaged.eval().requires_grad_(False)


def draw_sigmas(denoiser: Denoiser, rows: int, generator: Generator) -> Tensor:
    """Training noise levels `(rows,)`: normal in log sigma, cut to the range; for flow uniform timesteps, shifted."""
    uniform = torch.rand(rows, generator=generator)
    if denoiser.flow:
        lowest = denoiser.sigma_min / (_SHIFT - (_SHIFT - 1) * denoiser.sigma_min)
        timestep = lowest + (1 - lowest) * uniform
        return _SHIFT * timestep / (1 + (_SHIFT - 1) * timestep)
    centre, spread = _LOG_SIGMA
    ends = (torch.tensor([denoiser.sigma_min, denoiser.sigma_max]).log() - centre) / spread
    low, high = torch.special.ndtr(ends)
    return (centre + spread * torch.special.ndtri(low + (high - low) * uniform)).exp()


def denoiser_score(denoiser: Denoiser, images: Tensor, labels: Tensor) -> float:
    """The training loss without label dropout over 16 fixed draws of 256 images: compares seen with held-out images."""
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(16):
        rows = torch.randint(len(images), (256,), generator=generator)
        losses.append(_weighted_error(denoiser, images[rows], labels[rows], generator).item())
    return sum(losses) / len(losses)


def held_out_accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    logits, _ = classifier(images)
    return (logits.argmax(dim=1) == labels).float().mean().item()


def _denoiser_loss(denoiser: Denoiser, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    dropped = torch.rand(len(labels), generator=generator) < _LABEL_DROPOUT
    return _weighted_error(denoiser, images, labels.masked_fill(dropped, denoiser.arch.classes), generator)


def _weighted_error(denoiser: Denoiser, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    sigma = draw_sigmas(denoiser, len(images), generator)
    noise = torch.randn(images.shape, generator=generator)
    denoised = denoiser(denoiser.noised(images, noise, sigma), sigma, labels=labels)
    return (denoiser.loss_weight(sigma) * (denoised - images).square().mean(dim=(1, 2, 3))).mean()


def _classifier_loss(classifier: Classifier, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    # A little noise, so that the judge looks at shapes and not at grains a sampler may leave.
    noise = torch.randn(images.shape, generator=generator)
    logits, _ = classifier(images + _CLASSIFIER_NOISE * noise)
    return functional.cross_entropy(logits, labels)


def _settings(args: argparse.Namespace, images: Tensor) -> dict[str, Any]:
    data = DATA_SETS[args.data]
    channels, size, _ = data.shape
    patch = 1 if args.kind == "classifier" else PATCH[args.data]
    settings: dict[str, Any] = {
        "data": args.data,
        "kind": args.kind,
        "seed": args.seed,
        "iterations": args.iterations or ITERATIONS[args.data, args.kind],
        "batch": _BATCH,
        "architecture": describe(Architecture(channels, size, len(data.classes), width=args.width, patch=patch)),
    }
    if args.kind == "eps":
        settings["sigma_data"] = round(images.std().item(), 4)
    return settings


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.demo.models.train", description="Train one of the demo's networks."
    )
    parser.add_argument("--data", choices=tuple(DATA_SETS), required=True)
    parser.add_argument("--kind", choices=("eps", "flow", "classifier"), required=True)
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--iterations", type=int, default=None, help="default: what the bundled file was trained with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
