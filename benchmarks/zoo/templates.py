"""Pictures that become the modes of mixtures: crops of photographs, clip art, letters, and shapes drawn at random."""

from __future__ import annotations

import string
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...demo.models.data import render_letters
from .data import load_pictures

Source = Literal["sample_photographs", "clipart", "letters", "shapes"]
SOURCES: tuple[Source, ...] = get_args(Source)
# Sources that need the arrays of `data`; the others need scikit-learn, matplotlib and nothing at all.
NEEDS_ARRAYS: tuple[Source, ...] = ("clipart",)

_SMALLEST_CROP = 0.15
_SHAPES = 24


def draw_templates(source: Source, count: int, channels: int, size: int, seed: int) -> Tensor:
    """(count, channels, size, size) float64, each channel of mean 0 and all of variance 1 over the pictures.

    Beyond three channels, and for two, a channel is a random mixture of the colours of two or more pictures: related
    to the others, as channels of a latent are, and not equal to any.
    """
    rng = np.random.default_rng(seed)
    together = -(-channels // 3)
    pictures = _PAINTERS[source](count * together, size, rng)
    colours = pictures.reshape(count, -1, size, size)
    if colours.shape[1] != channels:
        mix = torch.from_numpy(rng.standard_normal((channels, colours.shape[1])))
        colours = torch.einsum("ck,nkhw->nchw", mix, colours)
    centred = colours - colours.mean(dim=(0, 2, 3), keepdim=True)
    return centred / centred.std()


def photograph_crops(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """(count, 3, size, size) float64 in [-1, 1]: crops of the two photographs of scikit-learn, a temple and a flower.

    Both are CC-BY-2.0, by danielbuechele and vultilion.
    """
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    crops = []
    for number in range(count):
        picture = torch.from_numpy(photographs[number % 2].astype(np.float64)).permute(2, 0, 1)[None]
        height, width = picture.shape[2:]
        side = round(height * float(np.exp(rng.uniform(np.log(_SMALLEST_CROP), 0.0))))
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = picture[:, :, top : top + side, left : left + side]
        crop = crop.flip(3) if rng.random() < 0.5 else crop
        crops.append(functional.adaptive_avg_pool2d(crop, size)[0] / 127.5 - 1)
    return torch.stack(crops)


def _clipart(count: int, size: int, rng: np.random.Generator) -> Tensor:
    images, _ = load_pictures("clipart", size, "train")
    return images[torch.from_numpy(rng.choice(len(images), count, replace=False))].double()


def _letters(count: int, size: int, rng: np.random.Generator) -> Tensor:
    images, _ = render_letters(string.ascii_uppercase, -(-count // 26), seed=int(rng.integers(2**31)))
    grey = torch.from_numpy(images[:count, None]).double()
    return functional.interpolate(grey, size=(size, size), mode="area" if size <= 16 else "bilinear")


def _shapes(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """Coloured discs that cover each other, radii as 1 / r^3: edges and a spectrum like those of photographs.

    Source: Lee, Mumford and Huang 2001, "Occlusion models for natural images", the dead-leaves model.
    """
    grid = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    pictures = torch.zeros(count, 3, size, size, dtype=torch.float64)
    for picture in pictures:
        for _ in range(_SHAPES):
            # Inverse of the distribution of 1 / r^3 between .08 and .6 of the picture.
            radius = (0.08**-2 + rng.random() * (0.6**-2 - 0.08**-2)) ** -0.5
            row, column = rng.random(2)
            inside = (grid[:, None] - row) ** 2 + (grid - column) ** 2 < radius**2
            picture[:, inside] = torch.from_numpy(rng.uniform(-1, 1, size=(3, 1)))
    return pictures


_PAINTERS = {
    "sample_photographs": photograph_crops,
    "clipart": _clipart,
    "letters": _letters,
    "shapes": _shapes,
}
