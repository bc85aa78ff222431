"""A plot of schedules as a small SVG: nothing to load, readable aloud, light or dark."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape, quoteattr

from .plot import Axis, Plot, PlottedCurve, sigma_text

_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# Steps of a curve up to which each of them gets a dot.
_MAX_DOTS = 40
_MAX_NAME = 26
_DASHES = ("", "7 3", "3 3")
_LINE = 16  # of text at 11 px
_MARGIN_LEFT, _MARGIN_RIGHT, _MARGIN_TOP, _MARGIN_BOTTOM = 54, 18, 38, 44
_ZERO_ROW = 26  # height below the log axis where sigma 0 has its place


@dataclass(frozen=True)
class _Theme:
    """Colours of text, quiet text, grid, warning, highlight, and of the other curves in turn."""

    ground: str
    text: str
    quiet: str
    grid: str
    warning: str
    highlight: str
    others: tuple[str, ...]


# Others: Okabe and Ito's colours, told apart by colour-blind readers, muted on a dark ground.
_LIGHT = _Theme(
    ground="#ffffff",
    text="#1c2128",
    quiet="#5b6570",
    grid="#e4e8ec",
    warning="#9a4a00",
    highlight="#d1495b",
    others=("#0072b2", "#009e73", "#e69f00", "#7d5ba6", "#56b4e9", "#8c6d31", "#6b7280"),
)
_DARK = _Theme(
    ground="#1b1e23",
    text="#e8eaed",
    quiet="#a3abb5",
    grid="#31363e",
    warning="#f0a35e",
    highlight="#ff6b7d",
    others=("#4fa8dc", "#3cc49b", "#f0b93a", "#b193d8", "#8ccdf2", "#c9a861", "#9ca3af"),
)


@dataclass(frozen=True)
class _SvgFrame:
    """The inner rectangle in pixels, and the axes it shows."""

    left: float
    right: float
    top: float
    bottom: float
    x: Axis
    y: Axis

    @property
    def log_bottom(self) -> float:
        return self.bottom - _ZERO_ROW

    def across(self, step: float) -> float:
        return self.left + (step - self.x["low"]) / (self.x["high"] - self.x["low"]) * (self.right - self.left)

    def down(self, level: float | None) -> float:
        """Pixel row of a log10 sigma; None is sigma 0."""
        if level is None:
            return self.bottom
        share = (level - self.y["low"]) / (self.y["high"] - self.y["low"])
        return self.log_bottom - share * (self.log_bottom - self.top)


@dataclass(frozen=True)
class _Legend:
    """Where the names stand; the curve of each line, and its text. A last text beyond the curves counts the rest."""

    left: float
    top: float
    rows: list[int]
    names: list[str]


def to_svg(plot: Plot, width: int = 640, height: int = 400, dark: bool = False) -> str:
    """The plot as an SVG document.

    Args:
        plot: of `schedule_plot`.
        width, height: in pixels, at least 240 and 180.
        dark: light curves on a dark ground.
    Raises:
        ValueError: names the side that is too small.
    """
    for name, size, least in (("width", width, 240), ("height", height, 180)):
        if size < least:
            raise ValueError(f"{name} must be at least {least} pixels, got {size}")
    theme = _DARK if dark else _LIGHT
    warnings = _warning_lines(plot, width)
    bottom = height - _MARGIN_BOTTOM - (_LINE * len(warnings) + 6 if warnings else 0)
    frame, legend = _with_legend(
        plot, _SvgFrame(_MARGIN_LEFT, width - _MARGIN_RIGHT, _MARGIN_TOP, bottom, plot["x"], plot["y"])
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={_quoted(plot["title"])} font-family={_quoted(_FONT)} font-size="11">',
        f"<title>{_escaped(plot['title'])}</title>",
        f"<desc>{_escaped(' '.join([plot['description'], *(_sentence(text) for text in plot['warnings'])]))}</desc>",
        f'<rect width="{width}" height="{height}" fill="{theme.ground}"/>',
        _text(_MARGIN_LEFT, 22, plot["title"], theme.text, 'font-size="14" font-weight="600"'),
        *_axes(frame, theme),
        *_curves(plot, frame, theme),
        *_names(plot, legend, theme),
    ]
    for i, line in enumerate(warnings):
        parts.append(_text(_MARGIN_LEFT, bottom + _MARGIN_BOTTOM + 8 + _LINE * i, line, theme.warning))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(frame: _SvgFrame, theme: _Theme) -> Iterator[str]:
    for tick in frame.y["ticks"]:
        row = frame.down(tick["at"])
        yield _line(frame.left, row, frame.right, row, theme.grid)
        yield _text(frame.left - 8, row + 4, tick["text"], theme.quiet, 'text-anchor="end"')
    yield _line(frame.left, frame.bottom, frame.right, frame.bottom, theme.quiet)
    yield _text(frame.left - 8, frame.bottom + 4, "0", theme.quiet, 'text-anchor="end"')
    for tick in frame.x["ticks"]:
        column = frame.across(tick["at"])
        yield _line(column, frame.bottom, column, frame.bottom + 4, theme.quiet)
        yield _text(column, frame.bottom + 17, tick["text"], theme.quiet, 'text-anchor="middle"')
    middle = (frame.left + frame.right) / 2
    yield _text(middle, frame.bottom + 33, frame.x["label"], theme.quiet, 'text-anchor="middle"')
    centre = (frame.top + frame.bottom) / 2
    turned = f'text-anchor="middle" transform="rotate(-90 14 {_number(centre)})"'
    yield _text(14, centre, frame.y["label"], theme.quiet, turned)


def _curves(plot: Plot, frame: _SvgFrame, theme: _Theme) -> Iterator[str]:
    """The highlighted curve last, so that it lies on top."""
    styled = sorted(zip(plot["curves"], _styles(plot, theme)), key=lambda pair: pair[0]["highlight"])
    for curve, (colour, dashes) in styled:
        stroke = 2.4 if curve["highlight"] else 1.5
        places = [(frame.across(float(step or 0)), frame.down(level)) for step, level, _ in curve["points"]]
        falls_to_zero = curve["points"][-1][1] is None
        body = places[:-1] if falls_to_zero else places
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in body)
        yield f'<g fill="{colour}" stroke="{colour}" stroke-linejoin="round">'
        yield f'<polyline points="{path}" fill="none" {_stroke(stroke, dashes)}/>'
        if falls_to_zero:
            (x1, y1), (x2, y2) = places[-2:]
            yield _line(x1, y1, x2, y2, colour, _stroke(stroke, "2 4"))
        if curve["steps"] <= _MAX_DOTS:
            yield from _dots(curve, places)
        yield "</g>"


def _dots(curve: PlottedCurve, places: list[tuple[float, float]]) -> Iterator[str]:
    radius = 3.2 if curve["highlight"] else 2.2
    for (x, y), (step, _, sigma) in zip(places, curve["points"]):
        said = _escaped(f"{curve['name']}, step {step}: sigma {sigma_text(float(sigma or 0))}")
        yield f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{radius}"><title>{said}</title></circle>'


def _with_legend(plot: Plot, frame: _SvgFrame) -> tuple[_SvgFrame, _Legend]:
    """The legend in the emptier of the two corners that falling curves leave, else beside a narrower frame."""
    rows = sorted(range(len(plot["curves"])), key=lambda i: not plot["curves"][i]["highlight"])
    counts = {curve["steps"] for curve in plot["curves"]}
    names = []
    for i in rows:
        curve = plot["curves"][i]
        names.append(_shortened(curve["name"]) + (f", {curve['steps']} steps" if len(counts) > 1 else ""))
    room = max(1, int((frame.bottom - frame.top - 8) // _LINE))
    if len(names) > room:
        names = [*names[: room - 1], f"and {len(names) - room + 1} more"]
    wide, tall = max(map(len, names)) * 6.4 + 34, _LINE * len(names) + 4
    places = [(frame.across(float(step or 0)), frame.down(at)) for c in plot["curves"] for step, at, _ in c["points"]]
    corners = [(frame.right - wide, frame.top), (frame.left + 8, frame.bottom - tall - 4)]
    for left, top in corners:
        if not any(left - 14 < x < left + wide and top - 6 < y < top + tall + 6 for x, y in places):
            return frame, _Legend(left, top, rows, names)
    if frame.right - frame.left - wide < 120:
        return frame, _Legend(*corners[0], rows, names)
    narrower = replace(frame, right=frame.right - wide - 14)
    return narrower, _Legend(narrower.right + 18, frame.top, rows, names)


def _names(plot: Plot, legend: _Legend, theme: _Theme) -> Iterator[str]:
    styles = _styles(plot, theme)
    wide, tall = max(map(len, legend.names)) * 6.4 + 34, _LINE * len(legend.names) + 4
    yield (
        f'<rect x="{_number(legend.left - 6)}" y="{_number(legend.top - 2)}" width="{_number(wide + 6)}" '
        f'height="{tall}" fill="{theme.ground}" fill-opacity="0.85"/>'
    )
    for line, name in enumerate(legend.names):
        row = legend.top + 12 + _LINE * line
        at = legend.rows[line]
        if line == len(legend.names) - 1 and len(legend.names) < len(plot["curves"]):
            yield _text(legend.left + 26, row, name, theme.quiet)
            continue
        highlight = plot["curves"][at]["highlight"]
        colour, dashes = styles[at]
        yield _line(legend.left, row - 4, legend.left + 18, row - 4, colour, _stroke(3 if highlight else 2, dashes))
        yield _text(legend.left + 26, row, name, theme.text, 'font-weight="600"' if highlight else "")


def _styles(plot: Plot, theme: _Theme) -> list[tuple[str, str]]:
    """(colour, dash pattern) of every curve; where the colours repeat, the dashes differ."""
    styles, other = [], 0
    for curve in plot["curves"]:
        if curve["highlight"]:
            styles.append((theme.highlight, ""))
            continue
        styles.append((theme.others[other % len(theme.others)], _DASHES[other // len(theme.others) % len(_DASHES)]))
        other += 1
    return styles


def _stroke(width: float, dashes: str = "") -> str:
    return f'stroke-width="{width}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _warning_lines(plot: Plot, width: int) -> list[str]:
    """At most two lines; the description holds them all."""
    columns = max(20, int((width - _MARGIN_LEFT - _MARGIN_RIGHT) / 6.2))
    text = " ".join(_sentence(warning) for warning in plot["warnings"])
    return textwrap.wrap(text, columns, max_lines=2, placeholder=" ...")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 3] + "..."


def _text(x: float, y: float, text: str, fill: str, more: str = "") -> str:
    space = " " if more else ""
    return f'<text x="{_number(x)}" y="{_number(y)}" fill="{fill}"{space}{more}>{_escaped(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, more: str = 'stroke-width="1"') -> str:
    ends = " ".join(f'{name}="{_number(value)}"' for name, value in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)))
    return f'<line {ends} stroke="{stroke}" {more}/>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _escaped(text: str) -> str:
    """Text as XML may hold it: control characters have no place in it, not even escaped."""
    return escape("".join(character for character in text if unicodedata.category(character) not in {"Cc", "Cs"}))


def _quoted(text: str) -> str:
    return quoteattr("".join(character for character in text if unicodedata.category(character) not in {"Cc", "Cs"}))
