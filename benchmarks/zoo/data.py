"""The picture sets of the zoo, cut from what Debian packages and libraries ship; no picture is committed.

python -P -m sigmasmith.benchmarks.zoo.data --root DIR    makes the arrays in out/zoo

DIR is where the packages' files lie: / where they are installed, else a folder that `dpkg -x PACKAGE.deb DIR` filled.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from . import pictures

Part = Literal["train", "held_out"]

ARRAYS = Path("out/zoo")
HELD_OUT_EVERY = 6


@dataclass(frozen=True)
class PictureSet:
    """Where a set of pictures comes from.

    Args:
        packages: Debian packages, or the library, that ship the sources.
        licence: of the sources, as their packages state it.
        classes: names of the labels, empty where there are none.
        sizes: pixels per side in which the zoo uses it.
        make: (root, size) -> uint8 (N, size, size, C), labels (N,), source pictures (N,).
    """

    packages: tuple[str, ...]
    licence: str
    classes: tuple[str, ...]
    sizes: tuple[int, ...]
    make: Callable[[Path, int], pictures.Cut]


PICTURE_SETS: dict[str, PictureSet] = {
    "clipart": PictureSet(
        ("openclipart-png",), "public domain", pictures.CLIPART_FOLDERS, (8, 16, 32, 64), pictures.cut_clipart
    ),
    "photographs": PictureSet(
        ("mate-backgrounds", "plasma-workspace-wallpapers"),
        "GPL-2+ (MATE), LGPL-3 or CC-BY-SA-4.0 by picture (Plasma)",
        (),
        (8, 16, 32),
        pictures.cut_photographs,
    ),
    "emoji": PictureSet(
        ("fonts-noto-color-emoji",), "OFL-1.1", tuple(pictures.EMOJI_RANGES), (8, 16), pictures.cut_emoji
    ),
    "lowercase": PictureSet(
        ("matplotlib",),
        "the fonts' own: Bitstream Vera (DejaVu), OFL-1.1 (STIX), Knuth's (Computer Modern)",
        tuple(pictures.LOWERCASE),
        (8, 16),
        pictures.cut_lowercase,
    ),
}


def load_pictures(name: str, size: int, part: Part) -> tuple[Tensor, Tensor]:
    """Pictures (N, C, size, size) float32 in [-1, 1] and labels (N,) long; every sixth source is held out of training.

    All crops of one source are on the same side, so that held-out pictures are of things never seen.

    Raises:
        FileNotFoundError: the array is not made yet; the message names the command.
    """
    path = ARRAYS / f"{name}_{size}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; python -P -m sigmasmith.benchmarks.zoo.data makes it")
    with np.load(path) as arrays:
        pixels, labels, sources = arrays["pixels"], arrays["labels"], arrays["sources"]
    held_out = sources % HELD_OUT_EVERY == 0
    keep = held_out if part == "held_out" else ~held_out
    images = torch.from_numpy(pixels[keep]).permute(0, 3, 1, 2).float() / 127.5 - 1
    return images.contiguous(), torch.from_numpy(labels[keep]).long()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks.zoo.data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), help="where the packages' files lie, default %(default)s"
    )
    parser.add_argument("--sets", nargs="+", choices=tuple(PICTURE_SETS), default=tuple(PICTURE_SETS))
    args = parser.parse_args(argv)
    ARRAYS.mkdir(parents=True, exist_ok=True)
    for name in args.sets:
        sizes = PICTURE_SETS[name].sizes
        pixels, labels, sources = PICTURE_SETS[name].make(args.root, max(sizes))
        if not len(pixels):
            needs = " and ".join(PICTURE_SETS[name].packages)
            raise SystemExit(f"{name}: no picture under {args.root}, it needs {needs}; --sets makes others alone")
        for size in sizes:
            small = _block_means(pixels, max(sizes) // size)
            np.savez(ARRAYS / f"{name}_{size}.npz", pixels=small, labels=labels, sources=sources)
            print(f"{name}_{size}: {len(pixels)} pictures of {len(np.unique(sources))} sources", flush=True)


def _block_means(pixels: np.ndarray, factor: int) -> np.ndarray:
    """(N, H / factor, W / factor, C) uint8."""
    rows, height, width, channels = pixels.shape
    blocks = pixels.reshape(rows, height // factor, factor, width // factor, factor, channels)
    return np.round(blocks.mean(axis=(2, 4))).astype(np.uint8)


if __name__ == "__main__":
    main()
