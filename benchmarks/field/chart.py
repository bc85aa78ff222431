"""Errors over step counts as an SVG by matplotlib: both axes logarithmic, every line with its name at its end."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

_INCHES = (8.2, 4.4)
_LINE = 11.0  # between names, in points of 1/72 inch
# Okabe and Ito's colours, told apart by colour-blind readers; the strong line has its own.
_COLOURS = ("#6b7280", "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#7d5ba6")
_STRONG = "#d1495b"
# Letters stay text, and equal measurements give equal bytes.
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "sigmasmith", "font.size": 9, "figure.dpi": 72}


@dataclass(frozen=True)
class Line:
    """One curve: (steps, error) points in order, error > 0."""

    name: str
    points: Sequence[tuple[int, float]]
    strong: bool = False


def chart_svg(title: str, x_label: str, lines: Sequence[Line]) -> str:
    """The lines as an SVG document; its description says every point in words.

    Raises:
        ValueError: nothing to draw.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        raise ValueError("lines must hold at least one point")
    with mpl.rc_context(_STYLE):
        figure = Figure(_INCHES)
        axes = figure.add_axes((0.07, 0.11, 0.60, 0.80))
        _set_scales(axes, sorted({step for line in drawn for step, _ in line.points}))
        axes.set(title=title, xlabel=x_label)
        colours = [_STRONG if line.strong else _COLOURS[i % len(_COLOURS)] for i, line in enumerate(drawn)]
        for line, colour in zip(drawn, colours):
            steps, errors = zip(*line.points)
            axes.plot(steps, errors, color=colour, marker="o", markersize=3, linewidth=2.4 if line.strong else 1.4)
        ends = [float(axes.transData.transform(line.points[-1])[1]) for line in drawn]
        for line, colour, end, row in zip(drawn, colours, ends, _spread(ends)):
            axes.annotate(
                line.name,
                line.points[-1],
                (14, row - end),
                textcoords="offset points",
                va="center",
                color=colour,
                weight="bold" if line.strong else "normal",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6},
            )
        words = " ".join(_in_words(line) for line in drawn)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Title": title, "Description": words, "Date": None})
    return target.getvalue()


def _set_scales(axes: Any, steps: Sequence[int]) -> None:
    """Logarithmic axes with plain numbers: the step counts, and 1, 2 and 5 of every decade."""
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set(major_locator=FixedLocator(steps), minor_locator=NullLocator(), major_formatter=plain)
    axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator(), major_formatter=plain)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color="#e4e8ec")


def _spread(rows: Sequence[float]) -> list[float]:
    """Heights for names, in the order of the lines' ends and at least one line of text apart."""
    placed, last = [0.0] * len(rows), -math.inf
    for i in sorted(range(len(rows)), key=lambda i: rows[i]):
        placed[i] = last = max(rows[i], last + _LINE)
    return placed


def _in_words(line: Line) -> str:
    return f"{line.name}: " + ", ".join(f"{error:.3g} at {step} steps" for step, error in line.points) + "."
