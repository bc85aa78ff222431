"""Errors over step counts as a small SVG: both axes logarithmic, every line with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 790, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 280, 40, 46
_LINE = 15  # between names
# Okabe and Ito's colours, told apart by colour-blind readers; the strong line has its own.
_COLOURS = ("#6b7280", "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#7d5ba6")
_STRONG, _TEXT, _QUIET, _GRID = "#d1495b", "#1c2128", "#5b6570", "#e4e8ec"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Line:
    """One curve: (steps, error) points in order, error > 0."""

    name: str
    points: Sequence[tuple[int, float]]
    strong: bool = False


def chart_svg(title: str, x_label: str, lines: Sequence[Line]) -> str:
    """The lines as an SVG document.

    Raises:
        ValueError: nothing to draw.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        raise ValueError("lines must hold at least one point")
    steps = sorted({step for step, _ in points})
    low, high = (math.log10(pick(error for _, error in points)) for pick in (min, max))
    low, high = low - 0.06, high + 0.06

    def across(step: float) -> float:
        span = math.log(steps[-1] / steps[0]) or 1.0
        return _LEFT + math.log(step / steps[0]) / span * (_WIDTH - _LEFT - _RIGHT)

    def down(error: float) -> float:
        return _TOP + (high - math.log10(error)) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="{_FONT}" font-size="11">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(' '.join(_in_words(line) for line in lines))}</desc>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, title, _TEXT, 'font-size="14" font-weight="600"'),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, x_label, _QUIET, 'text-anchor="middle"'),
    ]
    for value in _marks(low, high):
        row = down(value)
        parts.append(_stroke([(_LEFT, row), (_WIDTH - _RIGHT, row)], _GRID, 1))
        parts.append(_text(_LEFT - 8, row + 4, f"{value:g}", _QUIET, 'text-anchor="end"'))
    for step in steps:
        parts.append(_text(across(step), _HEIGHT - _BOTTOM + 18, str(step), _QUIET, 'text-anchor="middle"'))
    ends = _spread([down(line.points[-1][1]) if line.points else _HEIGHT for line in lines])
    colours = iter(_COLOURS * (1 + len(lines) // len(_COLOURS)))
    for line, end in zip(lines, ends):
        colour = _STRONG if line.strong else next(colours)
        places = [(across(step), down(error)) for step, error in line.points]
        if not places:
            continue
        parts.append(_stroke(places, colour, 2.6 if line.strong else 1.6))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places]
        parts.append(_stroke([places[-1], (places[-1][0] + 12, end)], colour, 0.6))
        parts.append(_text(places[-1][0] + 15, end + 4, line.name, colour, 'font-weight="600"' if line.strong else ""))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _marks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade between two logarithms."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    return [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= math.log10(m * 10.0**d) <= high]


def _spread(rows: Sequence[float]) -> list[float]:
    """Rows for names, in the order of the lines' ends, at least one line of text apart and inside the picture."""
    order = sorted(range(len(rows)), key=lambda i: rows[i])
    placed = [0.0] * len(rows)
    last = -math.inf
    for i in order:
        placed[i] = last = max(rows[i], last + _LINE)
    beyond = max(0.0, last - (_HEIGHT - _BOTTOM + 4))
    return [row - beyond for row in placed]


def _in_words(line: Line) -> str:
    return f"{line.name}: " + ", ".join(f"{error:.3g} at {step} steps" for step, error in line.points) + "."


def _stroke(places: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>'


def _text(x: float, y: float, text: str, fill: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" {more}>{escape(text)}</text>'
