"""The contact sheet of a search: every draft with its seed and score, the best first."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw
from torch import Tensor

from ...schedules.search.seeds import SeedSearch
from ..plot_picture import FITTED, INK, PAPER, font, to_picture, to_tensor

_TILE, _GAP, _TEXT = 192, 8, 46


def contact_sheet(search: SeedSearch) -> Tensor:
    """(1, H, W, 3) float32 in 0..1; seeds that were run in full have a frame."""
    scores, order = search.scores[0].tolist(), search.order
    columns = min(8, math.ceil(len(order) ** 0.5))
    rows = math.ceil(len(order) / columns)
    height, width = search.drafts[0].shape[:2]
    scale = _TILE / max(height, width)
    tile = max(1, round(width * scale)), max(1, round(height * scale))
    step = tile[0] + _GAP, tile[1] + _TEXT + _GAP
    image = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), PAPER)
    draw = ImageDraw.Draw(image)
    for place, index in enumerate(order):
        left, top = _GAP + place % columns * step[0], _GAP + place // columns * step[1]
        image.paste(to_picture(search.drafts[index], tile), (left, top))
        chosen = search.seeds[index] in search.kept
        if chosen:
            draw.rectangle([left - 3, top - 3, left + tile[0] + 2, top + tile[1] + 2], outline=FITTED, width=3)
        score = f"{scores[index]:.4g}" if index < len(scores) else "no score"
        draw.text((left, top + tile[1] + 4), f"seed {search.seeds[index]}", fill=INK, font=font(14))
        draw.text((left, top + tile[1] + 23), score, fill=FITTED if chosen else INK, font=font(14))
    return to_tensor(image)[None]
