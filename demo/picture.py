"""Samples side by side as a PNG: one labelled row per schedule."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP = 6
# Difference, of pixels in [-1, 1], that has the full colour.
_FULL_COLOUR = 0.4
_EDGE = 18
_LABEL = 250
_TITLE = 52
_GROUND, _TEXT, _QUIET = "#ffffff", "#1c2128", "#5b6570"


@dataclass(frozen=True)
class Row:
    """One line of the picture: its label, a second line below it, and images (columns, C, H, W) in [-1, 1].

    Where `target` is given, the same images as they should be, a strip below shows the differences.
    """

    label: str
    remark: str
    images: Tensor
    target: Tensor | None = None


def sample_sheet(title: str, remark: str, rows: Sequence[Row], *, tile: int = 80, label: int = _LABEL) -> bytes:
    """PNG bytes of a sheet of samples.

    Args:
        title, remark: two lines above the rows.
        label: pixels of the words beside a row.
        tile: pixels per side of one image; small images are scaled up so that each of their pixels is seen.
    Raises:
        ValueError: there is nothing to show.
    """
    if not rows or not len(rows[0].images):
        raise ValueError("rows must hold at least one row with one image")
    columns = max(len(row.images) for row in rows)
    width = 2 * _EDGE + label + columns * (tile + _GAP) - _GAP
    strip = tile // 2
    tall = [tile + _GAP + (0 if row.target is None else strip + 2) for row in rows]
    height = 2 * _EDGE + _TITLE + sum(tall) - _GAP
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    large, plain = ImageFont.load_default(20), ImageFont.load_default(15)
    draw.text((_EDGE, _EDGE - 4), title, _TEXT, font=large)
    draw.text((_EDGE, _EDGE + 22), remark, _QUIET, font=plain)
    top = _EDGE + _TITLE
    for row, step in zip(rows, tall):
        draw.text((_EDGE, top + tile / 2 - 20), row.label, _TEXT, font=ImageFont.load_default(17))
        draw.text((_EDGE, top + tile / 2 + 4), row.remark, _QUIET, font=plain)
        for column, image in enumerate(row.images):
            left = _EDGE + label + column * (tile + _GAP)
            sheet.paste(tile_of(image, tile), (left, top))
            if row.target is not None:
                sheet.paste(
                    _difference(image - row.target[column], strip), (left + (tile - strip) // 2, top + tile + 2)
                )
        top += step
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def tile_of(image: Tensor, size: int) -> Image.Image:
    """One image (C, H, W) in [-1, 1], clipped as a viewer would, in the tile's size."""
    pixels = ((image.detach().cpu().float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8).numpy()
    grey = pixels.shape[0] == 1
    picture = Image.fromarray(pixels[0] if grey else np.moveaxis(pixels, 0, -1)).convert("RGB")
    return picture.resize((size, size), Image.Resampling.NEAREST)


def _difference(difference: Tensor, size: int) -> Image.Image:
    """A signed difference (C, H, W), channels averaged: red above, blue below, white where there is none."""
    share = (difference.detach().cpu().float().mean(dim=0) / _FULL_COLOUR).clamp(-1.0, 1.0)
    above, below = share.clamp(min=0.0), -share.clamp(max=0.0)
    colour = torch.stack([1.0 - below, 1.0 - above - below, 1.0 - above], dim=-1)
    pixels = (colour * 255.0).round().to(torch.uint8).numpy()
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST)
