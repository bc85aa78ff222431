"""Draw samples of one member on a contact sheet, to look at.

python -P -m sigmasmith.benchmarks.zoo.sheet NAME --out out/zoo/NAME.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from .members import MEMBERS, member_pictures, zoo_subject

_SAMPLER, _VE_SCHEDULE, _FLOW_SCHEDULE = "dpmpp_2m", "karras", "simple"
_PIXELS = 64


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks.zoo.sheet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=tuple(MEMBERS))
    parser.add_argument("--out", type=Path, default=None, help="default out/zoo/NAME.png")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cfg", type=float, default=1.0)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    samples = draw_samples(args.name, args.rows, args.steps, args.cfg, args.seed)
    write_sheet(member_pictures(args.name, samples), args.out or Path("out/zoo") / f"{args.name}.png")


def draw_samples(name: str, rows: int, steps: int, guidance: float, seed: int) -> Tensor:
    """(rows, ...) end states of dpmpp_2m on karras (flow: simple)."""
    subject = zoo_subject(name, guidance)
    flow = subject.sigma_range.flow
    sigmas = host_schedules(subject.sigma_range)[_FLOW_SCHEDULE if flow else _VE_SCHEDULE](steps)
    start = subject.noise(rows, seed) * float(sigmas[0])
    return own_sampler(_SAMPLER)(subject.denoiser, start, sigmas, extra_args=subject.extra_args(rows))


def write_sheet(pictures: Tensor, path: Path, columns: int | None = None) -> None:
    """Pictures (N, 1 or 3, H, W) in [-1, 1] on a sheet, square without `columns`, about 64 pixels each."""
    from PIL import Image

    pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    pixels = np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    rows, side = len(pixels), columns or int(np.ceil(np.sqrt(len(pixels))))
    enlarge = max(1, _PIXELS // pixels.shape[1])
    tile = pixels.shape[1] * enlarge
    sheet = Image.new("RGB", (side * tile, -(-rows // side) * tile), "white")
    for number, picture in enumerate(pixels):
        image = Image.fromarray(picture).resize((tile, tile), Image.Resampling.NEAREST)
        sheet.paste(image, (number % side * tile, number // side * tile))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


if __name__ == "__main__":
    main()
