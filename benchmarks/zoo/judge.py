"""Whether a network has learned: its error on held-out data beside those of denoisers that learned nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...demo.models.network import Denoiser
from .spectra import CosineDenoiser
from .templates import photograph_crops
from .weights import TrainedNetwork, read_autoencoder

_LEVELS = 8
_ROWS = 512
_CROPS, _SEED = 64, 5


def denoising_error(
    model: Denoiser, judged: Denoiser | CosineDenoiser, values: Tensor, labels: Tensor | None = None
) -> float:
    """Mean square error of `judged` in units of the data's variance, over eight levels even in log sigma (flow: in log
    of s / (1 - s)) from .1 to 10, on 512 fixed draws of `values` noised as `model` wants it."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(values), (_ROWS,), generator=generator)
    clean, extra = values[rows], {} if labels is None else {"labels": labels[rows]}
    errors = []
    for level in torch.logspace(-1, 1, _LEVELS):
        sigma = (level / (1 + level) if model.flow else level).expand(len(rows))
        noised = model.noised(clean, torch.randn(clean.shape, generator=generator), sigma)
        errors.append((judged(noised, sigma, **extra) - clean).square().mean().item())
    return sum(errors) / len(errors)


def probe_values(network: TrainedNetwork) -> tuple[Tensor, Tensor | None]:
    """Data that the network never saw, and labels: what its file holds, or crops of scikit-learn's photographs."""
    if network.probe is not None:
        return network.probe, network.labels if network.settings["classes"] else None
    recipe = network.settings["recipe"]
    crops = photograph_crops(_CROPS, recipe["size"], np.random.default_rng(_SEED)).float()
    values = read_autoencoder(recipe["autoencoder"])[0].encode(crops) if recipe["autoencoder"] else crops
    return (values - network.settings["centre"]) / network.settings["scale"], None
