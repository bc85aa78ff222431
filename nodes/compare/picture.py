"""A comparison as a picture: the table of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from ...schedules.comparison.comparison import Cell, Comparison, error_interval
from ...schedules.comparison.text import sorted_cells
from ..plot_picture import GRID, INK, PAPER, font, to_tensor

QUIET, BEST, OWN = (110, 118, 128), (24, 112, 72), (200, 30, 60)
# All in the doubled picture, which is scaled down for smooth letters.
_ROW, _EDGE, _LETTER = 56, 40, 28
_BAR = 520
_MAX_LABEL = 34


def table_image(comparison: Comparison, sentences: Sequence[str]) -> Tensor:
    """(1, H, W, 3) float32 in 0..1: one line per cell with its error and confidence interval, and what it says."""
    cells = sorted_cells(comparison)
    heads = ["steps", "sampler", "schedule", "calls", "s / sample", "error"]
    lines = [_texts(cell) for cell in cells]
    draw = ImageDraw.Draw(Image.new("RGB", (8, 8)))
    face = font(_LETTER)
    widths = [max(draw.textlength(line[column], font=face) for line in [heads, *lines]) + 44 for column in range(6)]
    width = int(2 * _EDGE + sum(widths) + _BAR)
    sentences = [*sentences, "Green: surely the best at its number of calls. Red: the schedules that you brought."]
    wrapped = [part for text in sentences for part in _wrapped(draw, text, face, width - 2 * _EDGE)]
    height = 2 * _EDGE + (len(cells) + 1) * _ROW + 20 + (len(wrapped) + 1) * 42
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    _write_row(draw, _EDGE, heads, widths, QUIET)
    draw.text((_EDGE + sum(widths), _EDGE), "mean error, 95 % interval", fill=QUIET, font=face)
    scale = _Scale(cells, _EDGE + sum(widths))
    leaders = {id(verdict.leader) for verdict in comparison.verdicts() if verdict.clear}
    for number, (cell, texts) in enumerate(zip(cells, lines), start=1):
        top = _EDGE + number * _ROW
        if number == 1 or cells[number - 2].steps != cell.steps:
            draw.line([(_EDGE, top - 8), (width - _EDGE, top - 8)], fill=GRID, width=3)
        colour = BEST if id(cell) in leaders else OWN if cell.schedule in comparison.own else INK
        _write_row(draw, top, texts, widths, colour)
        scale.draw(draw, top, cell, colour)
    top = _EDGE + (len(cells) + 1) * _ROW + 20
    for number, text in enumerate(wrapped):
        draw.text((_EDGE, top + 42 * number), text, fill=INK, font=face)
    return to_tensor(image.resize((width // 2, height // 2), Image.Resampling.LANCZOS))[None]


def _texts(cell: Cell) -> list[str]:
    start = [str(cell.steps), _short(cell.sampler), _short(cell.schedule)]
    if cell.failed:
        return [*start, "", "", "failed"]
    return [*start, f"{cell.calls:.4g}", f"{cell.seconds:.3g}", f"{cell.error:.5f}"]


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else text[: _MAX_LABEL - 1] + "…"


def _write_row(draw: Any, top: float, texts: Sequence[str], widths: Sequence[float], colour: Any) -> None:
    left = float(_EDGE)
    for text, width in zip(texts, widths):
        draw.text((left, top), text, fill=colour, font=font(_LETTER))
        left += width


class _Scale:
    """The bars: log error from left to right."""

    def __init__(self, cells: Sequence[Cell], left: float) -> None:
        self.left = left
        self.intervals = {id(cell): error_interval(cell) for cell in cells if not cell.failed}
        means = [interval.mean for interval in self.intervals.values()]
        low, high = (math.log(min(means)), math.log(max(means))) if means else (0.0, 1.0)
        room = max(0.5 * (high - low), 0.3)
        self.low, self.high = low - room, high + room

    def at(self, error: float) -> float:
        """Pixels from the left; intervals that leave the picture end at its edge."""
        level = math.log(error) if error > 0.0 else self.low
        share = (min(max(level, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (_BAR - 20)

    def draw(self, draw: Any, top: float, cell: Cell, colour: Any) -> None:
        interval = self.intervals.get(id(cell))
        if interval is None:
            return
        middle = top + _LETTER / 2 + 4
        draw.line([(self.at(interval.low), middle), (self.at(interval.high), middle)], fill=colour, width=5)
        x = self.at(interval.mean)
        draw.ellipse([x - 9, middle - 9, x + 9, middle + 9], fill=colour)


def _wrapped(draw: Any, text: str, face: Any, width: float) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and draw.textlength(longer, font=face) > width:
            lines, line = [*lines, line], f"    {word}"
        else:
            line = longer if line else word
    return [*lines, line]
