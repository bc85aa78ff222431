"""Pictures as one sheet: a line per step count, a tile per schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..plot_picture import INK, PAPER, font, to_picture, to_tensor

# Pixels: the longer side of a tile that pictures are scaled down to, between tiles, beside and above them.
TILE, _GAP, _LABEL, _HEAD = 288, 8, 210, 44


def image_grid(
    rows: Sequence[str],
    columns: Sequence[str],
    pictures: Mapping[tuple[str, str], Sequence[Tensor]],
    tile: int = TILE,
) -> Tensor:
    """(seeds, H, W, 3) float32 in 0..1: for every seed one sheet, a line per row label and a tile per column label.

    Args:
        pictures: (row, column) -> one (h, w, 3) picture per seed, all of one size; missing tiles stay empty.
        tile: pixels of a tile's longer side at most.
    """
    seeds = min(len(tiles) for tiles in pictures.values())
    first = next(iter(pictures.values()))[0]
    scale = min(1.0, tile / max(first.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in first.shape[:2])
    sheets = [_sheet(rows, columns, pictures, seed, height, width) for seed in range(seeds)]
    return torch.stack([to_tensor(sheet) for sheet in sheets])


def _sheet(
    rows: Sequence[str],
    columns: Sequence[str],
    pictures: Mapping[tuple[str, str], Sequence[Tensor]],
    seed: int,
    height: int,
    width: int,
) -> Any:
    tile = max(width, 120)
    size = (_LABEL + len(columns) * (tile + _GAP), _HEAD + len(rows) * (max(height, 40) + _GAP))
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for x, column in enumerate(columns):
        draw.text((_LABEL + x * (tile + _GAP), 14), _fitting(draw, column, tile), fill=INK, font=font(15))
    for y, row in enumerate(rows):
        top = _HEAD + y * (max(height, 40) + _GAP)
        for number, part in enumerate(row.split("\n")):
            draw.text((8, top + 6 + 22 * number), _fitting(draw, part, _LABEL - 12), fill=INK, font=font(15))
        for x, column in enumerate(columns):
            if (row, column) in pictures:
                picture = to_picture(pictures[row, column][seed], (width, height))
                image.paste(picture, (_LABEL + x * (tile + _GAP), top))
    return image


def _fitting(draw: Any, text: str, width: float) -> str:
    face = font(15)
    if draw.textlength(text, font=face) <= width:
        return text
    while text and draw.textlength(text + "…", font=face) > width:
        text = text[:-1]
    return text + "…"


def notice_image(text: str) -> Tensor:
    """(1, H, W, 3) float32 in 0..1: a sentence where there is no picture."""
    image = Image.new("RGB", (640, 96), PAPER)
    ImageDraw.Draw(image).text((24, 36), text, fill=INK, font=font(20))
    return to_tensor(image)[None]
