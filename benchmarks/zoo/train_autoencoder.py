"""Train the autoencoder of the latent family, on clip art and photographs of 32 x 32; one core.

python -P -m sigmasmith.benchmarks.zoo.train_autoencoder
"""

from __future__ import annotations

import time

import torch
from torch import Generator, Tensor

from ...demo.models.train import train
from ...demo.models.weights import write_network
from .data import Part, load_pictures
from .network import Autoencoder
from .weights import AUTOENCODER, weight_file

SETS, SIZE = ("clipart", "photographs"), 32

_WIDTH, _ITERATIONS, _BATCH, _PEAK_RATE, _SEED = 40, 2_500, 64, 2e-3, 0
# Noise on latents, against a pull to small ones: neighbours in the latent space decode to neighbours.
_NOISE, _PULL = 0.1, 1e-3


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    images = _pictures("train")
    start = time.process_time()
    labels = torch.zeros(len(images), dtype=torch.long)
    autoencoder = train(
        Autoencoder(_WIDTH),
        _loss,
        images,
        labels,
        iterations=_ITERATIONS,
        seed=_SEED,
        batch=_BATCH,
        peak_rate=_PEAK_RATE,
    )
    minutes = (time.process_time() - start) / 60
    autoencoder.scale.copy_(torch.cat([autoencoder.encode(rows) for rows in images[:4096].split(256)]).std())
    held_out = _pictures("held_out")[:512]
    error = (autoencoder.decode(autoencoder.encode(held_out)) - held_out).square().mean().item()
    settings = {
        "width": _WIDTH,
        "iterations": _ITERATIONS,
        "seed": _SEED,
        "minutes": round(minutes, 1),
        "held_out_error": round(error, 5),
        "held_out_variance": round(held_out.var().item(), 5),
    }
    print(settings)
    write_network(weight_file(AUTOENCODER), autoencoder.state_dict(), settings)


def _pictures(part: Part) -> Tensor:
    """Both sets, mixed."""
    images = torch.cat([load_pictures(name, SIZE, part)[0] for name in SETS])
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(_SEED))]


def _loss(autoencoder: Autoencoder, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latents = autoencoder.encode(images)
        noised = latents + _NOISE * torch.randn(latents.shape, generator=generator)
        decoded = autoencoder.decode(noised)
    return (decoded.float() - images).square().mean() + _PULL * latents.float().square().mean()


if __name__ == "__main__":
    main()
