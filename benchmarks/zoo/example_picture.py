"""The small picture of an example: strips of images, each below its words."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...demo.picture import tile_of

_WIDTH, _GAP, _WORDS = 400, 6, 26
_GROUND, _TEXT, _CHOSEN = "#15181d", "#e8ebef", "#ff7186"
_QUALITY = 88
_MOST_COLUMNS = 6


@dataclass(frozen=True)
class Strip:
    """Images (N, C, H, W) in [-1, 1] under a label; one of them may be framed."""

    label: str
    images: Tensor
    framed: int | None = None


def example_picture(strips: list[Strip]) -> bytes:
    """JPEG of the strips, 400 pixels wide; images are scaled up so that each of their pixels is seen."""
    sizes = [(_WIDTH - _GAP) // max(3, min(len(strip.images), _MOST_COLUMNS)) - _GAP for strip in strips]
    lines = [-(-len(strip.images) // max(3, min(len(strip.images), _MOST_COLUMNS))) for strip in strips]
    height = sum(_WORDS + count * (size + _GAP) for size, count in zip(sizes, lines)) + _GAP
    sheet = Image.new("RGB", (_WIDTH, height), _GROUND)
    draw, top = ImageDraw.Draw(sheet), 0
    for strip, size, count in zip(strips, sizes, lines):
        draw.text((_GAP, top + 5), strip.label, _TEXT, font=ImageFont.load_default(15))
        columns = (_WIDTH - _GAP) // (size + _GAP)
        for number, image in enumerate(strip.images):
            left, down = _GAP + number % columns * (size + _GAP), top + _WORDS + number // columns * (size + _GAP)
            sheet.paste(tile_of(image, size), (left, down))
            if number == strip.framed:
                draw.rectangle((left - 2, down - 2, left + size + 1, down + size + 1), outline=_CHOSEN, width=3)
        top += _WORDS + count * (size + _GAP)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
