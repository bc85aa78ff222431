"""Classifier-free guidance as a function of sigma: an interval, a ramp or a list.

With guidance w(sigma) the denoiser is D_uncond + w(sigma) * (D_cond - D_uncond); w = 1 is the conditional model alone,
and hosts then leave the unconditional call out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from ..core.noise_space import Array, SigmaRange

Shape = Literal["interval", "rising line", "falling line", "rising cosine", "falling cosine", "list"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
Unit = Literal["percent", "sigma", "log sigma"]
UNITS: tuple[Unit, ...] = get_args(Unit)

# Places at which a model's percent is tabulated; between them it is interpolated over log sigma.
_TABLE = 1025
MAX_VALUES = 256


@dataclass(frozen=True)
class SigmaAxis:
    """Where on the way from noise to image a sigma lies, counted in one of the units.

    Args:
        unit: "percent", the host's share of the model's time, 0 at pure noise and 1 at the image; "log sigma", the
            share of the model's range in log sigma; or "sigma" itself, which falls along the way.
        sigma_range: of the model.
        percent_to_sigma: the host's function of its model, falling; needed for "percent" only.
    """

    unit: Unit
    sigma_range: SigmaRange
    percent_to_sigma: Callable[[float], float] | None = field(default=None, compare=False, repr=False)

    def sigma(self, place: float) -> float:
        """Sigma at a place. The ends of percent and log sigma reach beyond the range: 0 is infinity, 1 is sigma 0."""
        if self.unit == "sigma":
            return place
        if place <= 0.0:
            return math.inf
        if place >= 1.0:
            return 0.0
        low, high = self.sigma_range.sigma_min, self.sigma_range.sigma_max
        if self.unit == "log sigma":
            return high * (low / high) ** place
        if self.percent_to_sigma is None:
            raise ValueError("percent_to_sigma is needed for the unit percent")
        return float(self.percent_to_sigma(place))

    def place(self, sigma: float) -> float:
        """Inverse of `sigma`, within the model's range."""
        if self.unit == "sigma":
            return sigma
        low, high = self.sigma_range.sigma_min, self.sigma_range.sigma_max
        log = math.log(min(max(sigma, low), high))
        if self.unit == "log sigma":
            return (math.log(high) - log) / (math.log(high) - math.log(low))
        return float(np.interp(log, *self._percents))

    @cached_property
    def _percents(self) -> tuple[Array, Array]:
        """(log sigma rising, percent)."""
        percents = np.linspace(1.0, 0.0, _TABLE)
        ends = (self.sigma_range.sigma_min, self.sigma_range.sigma_max)
        sigmas = [ends[0], *(self.sigma(percent) for percent in percents[1:-1].tolist()), ends[1]]
        return np.log(np.maximum.accumulate(np.clip(sigmas, *ends))), percents


@dataclass(frozen=True)
class GuidanceCurve:
    """Guidance by sigma. Made by `guidance_curve`.

    Attributes:
        shape, axis, start, end, outside: as given there.
        values: of "list", (position 0..1 between start and end, guidance), in order.
        sigma_high, sigma_low: `start` and `end` as sigmas, in the model's own sigma space; may be infinite and 0.
    """

    shape: Shape
    axis: SigmaAxis
    start: float
    end: float
    outside: float
    values: tuple[tuple[float, float], ...]
    sigma_high: float
    sigma_low: float

    def at(self, sigma: float, cfg: float) -> float:
        """Guidance at a sigma where the sampler's own is `cfg`.

        The interval is open below and closed above, sigma_low < sigma <= sigma_high, as in its source.
        """
        if self.shape == "interval":
            return cfg if self.sigma_low < sigma <= self.sigma_high else self.outside
        position = (self.axis.place(sigma) - self.start) / (self.end - self.start)
        position = min(1.0, max(0.0, position))
        if self.shape == "list":
            places, levels = zip(*self.values)
            return float(np.interp(position, places, levels))
        share = 0.5 - 0.5 * math.cos(math.pi * position) if self.shape.endswith("cosine") else position
        share = 1.0 - share if self.shape.startswith("falling") else share
        return self.outside + (cfg - self.outside) * share

    @property
    def jumps(self) -> tuple[float, ...]:
        """Sigmas at which the guidance jumps: a multistep method should forget its history there."""
        ends = (self.sigma_high, self.sigma_low) if self.shape == "interval" else ()
        return tuple(sigma for sigma in ends if 0.0 < sigma < math.inf)

    def key(self) -> str:
        """Canonical text that differs where two curves do; for digests."""
        names = ("shape", "start", "end", "outside", "values", "sigma_high", "sigma_low")
        facts = {name: _rounded(getattr(self, name)) for name in names} | {"unit": self.axis.unit}
        return json.dumps(facts, sort_keys=True, separators=(",", ":"))

    def in_words(self, cfg: float | None = None) -> str:
        """The curve in one sentence."""
        own = "the sampler's CFG" if cfg is None else f"CFG {cfg:g}"
        span = f"from {_said(self.sigma_high, 'the start')} to {_said(self.sigma_low, 'the end')}"
        if self.shape == "interval":
            return f"{own} {span}, {self.outside:g} outside."
        if self.shape == "list":
            levels = ", ".join(f"{value:g}" for _, value in self.values)
            return f"CFG {levels} {span}, straight lines between."
        line = "in a straight line" if self.shape.endswith("line") else "along a half cosine"
        first, last = (f"{self.outside:g}", own) if self.shape.startswith("rising") else (own, f"{self.outside:g}")
        return f"CFG runs from {first} to {last}, {line} over {self.axis.unit}, {span}."


def guidance_curve(
    shape: Shape,
    start: float,
    end: float,
    axis: SigmaAxis,
    *,
    outside: float = 1.0,
    values: Sequence[tuple[float | None, float]] = (),
) -> GuidanceCurve:
    """A guidance curve.

    Args:
        shape: "interval": the sampler's guidance between start and end, `outside` elsewhere. "rising ...": from
            `outside` at start to the sampler's guidance at end, "falling ..." the other way; the end values hold
            beyond. "list": `values`, whatever the sampler's guidance.
        start, end: in the axis' unit, in the order of sampling: start < end for percent and log sigma (0..1),
            start > end for sigma.
        outside: guidance where there is none of it, 1 leaves the unconditional model out.
        values: of "list": (place on the axis, guidance), or (None, guidance) for all, evenly from start to end.
    Raises:
        ValueError: names the input.
    Source: interval: Kynkaanniemi et al. 2024, arXiv:2404.07724. Ramps: Wang et al. 2024, arXiv:2404.13040, whose
        rising ones did best.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}, got {shape!r}")
    _check_window(start, end, axis)
    if not (math.isfinite(outside) and 0.0 <= outside <= 100.0):
        raise ValueError(f"outside must be from 0 to 100, got {outside}")
    placed = _placed(values, start, end, axis) if shape == "list" else ()
    high, low = axis.sigma(start), axis.sigma(end)
    if high <= low:
        raise ValueError(f"start and end: {start:g} and {end:g} are the same noise level of this model")
    return GuidanceCurve(shape, axis, float(start), float(end), float(outside), placed, high, low)


def parse_values(text: str) -> list[tuple[float | None, float]]:
    """Guidances from "7, 5, 3", or "14: 1, 5: 7" with a place before each.

    Raises:
        ValueError: names the input `values`.
    """
    entries: list[tuple[float | None, float]] = []
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;\n]", text))):
        place, colon, value = (piece.strip() for piece in part.rpartition(":"))
        try:
            entries.append((float(place) if colon else None, float(value)))
        except ValueError:
            raise ValueError(f"values: {part!r} is neither a number nor of the form place: CFG") from None
    if len({place is None for place, _ in entries}) > 1:
        raise ValueError("values: give either every CFG a place, such as 5: 7, or none of them")
    return entries


def _placed(
    values: Sequence[tuple[float | None, float]], start: float, end: float, axis: SigmaAxis
) -> tuple[tuple[float, float], ...]:
    """(position 0..1 between start and end, guidance), in order."""
    if not 1 <= len(values) <= MAX_VALUES:
        raise ValueError(f"values: give 1 to {MAX_VALUES} CFG values for the shape list, such as 7, 5, 3")
    points: list[tuple[float, float]] = []
    for number, (place, guidance) in enumerate(values):
        if not (math.isfinite(guidance) and 0.0 <= guidance <= 100.0):
            raise ValueError(f"values: a CFG must be from 0 to 100, got {guidance:g}")
        if place is None:
            position = number / max(1, len(values) - 1)
        else:
            position = (place - start) / (end - start)
            if not -1e-9 <= position <= 1.0 + 1e-9:  # NaN too
                raise ValueError(
                    f"values: the place {place:g} does not lie between start {start:g} and end {end:g} ({axis.unit})"
                )
        if points and position <= points[-1][0]:
            raise ValueError(f"values: the places must run from start to end, but {place:g} does not follow")
        points.append((min(1.0, max(0.0, position)), float(guidance)))
    return tuple(points)


def _check_window(start: float, end: float, axis: SigmaAxis) -> None:
    if axis.unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {axis.unit!r}")
    top = math.inf if axis.unit == "sigma" else 1.0
    for name, value in (("start", start), ("end", end)):
        if not (math.isfinite(value) and 0.0 <= value <= top):
            allowed = "at least 0" if axis.unit == "sigma" else f"from 0 to 1 for the unit {axis.unit}"
            raise ValueError(f"{name} must be {allowed}, got {value:g}")
    falls = axis.unit == "sigma"
    if (start <= end) if falls else (start >= end):
        rule = "sigma falls along the run, so start must be above end" if falls else "start must be below end"
        raise ValueError(f"start and end: {start:g} to {end:g} is upside down; in the unit {axis.unit} {rule}")


def _rounded(value: object) -> object:
    """Numbers as short text: an ulp of another machine's logarithm is no other curve."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return value


def _said(sigma: float, edge: str) -> str:
    return f"sigma {sigma:.4g}" if 0.0 < sigma < math.inf else edge
