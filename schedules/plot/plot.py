"""Schedules as a plot: plain numbers and words for every front end. `plot_svg.py` draws them where no page does."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np
from torch import Tensor

from ..core.noise_space import Array
from ..core.sigmas import check_sigmas
from ..core.words import Phrase

# A curve is drawn through at most this many points, however many steps it has.
_MAX_POINTS = 240
# Share of noise in the state from which the last step, straight to 0, leaves visible blur.
_LARGE_LAST_STEP = 0.2


class Tick(TypedDict):
    """A mark on an axis: where it is, in the axis' own unit, and what it reads."""

    at: float
    text: str


class Axis(TypedDict):
    """An axis: its ends, in its own unit, its marks and its title."""

    label: str
    low: float
    high: float
    ticks: list[Tick]


class PlottedCurve(TypedDict):
    """One schedule.

    points: [step, log10 sigma, sigma] in order; log10 sigma is None where sigma is 0.
    start, last: its first and its last positive sigma. warnings: sentences about this schedule alone.
    """

    name: str
    steps: int
    start: float
    last: float
    highlight: bool
    points: list[list[float | None]]
    warnings: list[str]


class Plot(TypedDict):
    """A whole plot; `description` says in words what it shows."""

    title: str
    description: str
    x: Axis
    y: Axis
    curves: list[PlottedCurve]
    warnings: list[str]


def schedule_plot(
    curves: Mapping[str, Tensor | Sequence[float]],
    highlight: str | None = None,
    flow: bool = False,
    *,
    sigma_max: float | None = None,
    title: str = "Sigma at each step",
    notes: Sequence[str] = (),
    measured: Collection[str] = (),
) -> Plot:
    """Points of log sigma over step, axis marks and warnings in words, as numbers and texts that JSON can hold.

    Args:
        curves: name -> (steps + 1,) sigma list, ending in 0 or, as the high part of a split does, above it.
        highlight: the name drawn strong; its warnings are the plot's. None: all are drawn alike and all warnings kept.
        flow: True for CONST / rectified-flow models, where sigma itself is the share of noise.
        sigma_max: of the model; a schedule that starts elsewhere is warned about.
        notes: further warnings, such as Preset.differences.
        measured: names of curves that were chosen by runs: their last step is as large as it should be.
    Raises:
        ValueError: no curve, an unknown highlight, or a list that breaks the contract, by its name.
    """
    if not curves:
        raise ValueError("curves must hold at least one schedule")
    if highlight is not None and highlight not in curves:
        raise ValueError(f"highlight {highlight!r} is none of the curves: {', '.join(curves)}")
    lists = {name: _checked(name, sigmas) for name, sigmas in curves.items()}
    drawn: list[PlottedCurve] = [
        _curve(name, sigmas, name == highlight, flow=flow, sigma_max=sigma_max, measured=name in measured)
        for name, sigmas in lists.items()
    ]
    many = len(drawn) > 1
    warnings = list(notes)
    for curve in drawn:
        if highlight is None or curve["highlight"]:
            warnings += [f"{curve['name']}: {text}" if many else text for text in curve["warnings"]]
    positive = np.concatenate([sigmas[sigmas > 0] for sigmas in lists.values()])
    return Plot(
        title=title,
        description=" ".join(f"{curve['name']}: {_in_words(curve)}." for curve in drawn),
        x=_step_axis(max(curve["steps"] for curve in drawn)),
        y=_sigma_axis(float(positive.min()), float(positive.max())),
        curves=drawn,
        warnings=warnings,
    )


def sigma_text(sigma: float) -> str:
    """A sigma as a person reads it: three significant digits, no exponent."""
    if sigma == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(sigma)))
    text = f"{sigma:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def schedule_warnings(sigmas: Array, *, flow: bool, sigma_max: float | None, measured: bool = False) -> Iterator[str]:
    """Sentences that a person should know before using a schedule.

    Args:
        measured: whether it was chosen by runs: its last step then is as large as it should be.
    """
    start, last = float(sigmas[0]), float(sigmas[sigmas > 0][-1])
    if sigma_max is not None and start < sigma_max * (1.0 - 1e-3):
        ends = {"start": sigma_text(start), "top": sigma_text(sigma_max)}
        yield Phrase("Starts at {start}, below the model's {top}.", **ends)
    if sigma_max is not None and start > sigma_max * (1.0 + 1e-3):
        ends = {"start": sigma_text(start), "top": sigma_text(sigma_max)}
        yield Phrase("Starts at {start}, above the model's {top}.", **ends)
    share = last if flow else last / (1.0 + last)
    if sigmas[-1] > 0:
        yield Phrase("Stops at {last} and leaves that noise in.", last=sigma_text(last))
    elif share > _LARGE_LAST_STEP and not measured:
        yield Phrase("Last step jumps from {last} to 0.", last=sigma_text(last))


def _checked(name: str, sigmas: Tensor | Sequence[float]) -> Array:
    ends_in_zero = len(sigmas) > 0 and float(sigmas[-1]) == 0.0
    return check_sigmas(sigmas, name=name, terminal_zero=ends_in_zero).double().numpy()


def _curve(
    name: str, sigmas: Array, highlight: bool, *, flow: bool, sigma_max: float | None, measured: bool
) -> PlottedCurve:
    warnings = schedule_warnings(sigmas, flow=flow, sigma_max=sigma_max, measured=measured)
    positive = sigmas[sigmas > 0]
    kept = np.unique(np.rint(np.linspace(0, len(positive) - 1, min(len(positive), _MAX_POINTS))).astype(int))
    points: list[list[float | None]] = []
    for step in map(int, kept):
        sigma = float(positive[step])
        points.append([step, round(math.log10(sigma), 5), _rounded(sigma)])
    if len(positive) < len(sigmas):
        points.append([len(positive), None, 0.0])
    return PlottedCurve(
        name=name,
        steps=len(sigmas) - 1,
        start=_rounded(float(positive[0])),
        last=_rounded(float(positive[-1])),
        highlight=highlight,
        points=points,
        # A curve's name may come before them.
        warnings=[text[:1].lower() + text[1:-1] for text in warnings],
    )


def _in_words(curve: PlottedCurve) -> str:
    count = "1 step" if curve["steps"] == 1 else f"{curve['steps']} steps"
    end = ", then 0" if curve["points"][-1][1] is None else ""
    if len(curve["points"]) <= 2 and end:
        return f"{count} from {sigma_text(curve['start'])} to 0"
    return f"{count} from {sigma_text(curve['start'])} down to {sigma_text(curve['last'])}{end}"


def _rounded(value: float) -> float:
    """Seven significant digits: all that float32 holds."""
    return float(f"{value:.7g}")


def _step_axis(steps: int) -> Axis:
    gap = next(size for size in _nice_sizes() if steps / size <= 12)
    ticks = [Tick(at=float(step), text=str(step)) for step in range(0, steps + 1, gap)]
    return Axis(label="step", low=0.0, high=float(steps), ticks=ticks)


def _nice_sizes() -> Iterator[int]:
    scale = 1
    while True:
        yield from (scale, 2 * scale, 5 * scale)
        scale *= 10


def _sigma_axis(smallest: float, largest: float) -> Axis:
    """A log10 axis with a little room at both ends, marked at 1, at 1 and 3 or at 1, 2 and 5 of every decade."""
    low, high = math.log10(smallest), math.log10(largest)
    room = max(0.04 * (high - low), 0.02)
    low, high = low - room, high + room
    span = high - low
    leading = (1.0, 2.0, 5.0) if span < 1.5 else (1.0, 3.0) if span < 3.2 else (1.0,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    values = [first * 10.0**decade for decade in decades for first in leading]
    ticks = [Tick(at=round(math.log10(v), 5), text=sigma_text(v)) for v in values if low <= math.log10(v) <= high]
    if len(ticks) < 2:
        ticks = [Tick(at=round(math.log10(v), 5), text=sigma_text(v)) for v in dict.fromkeys((smallest, largest))]
    return Axis(label="sigma (log)", low=round(low, 5), high=round(high, 5), ticks=ticks)
