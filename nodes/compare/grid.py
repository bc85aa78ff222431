"""Names of schedules and samplers, and curve settings. Parsed, never executed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

from ...schedules.hosting.named_curves import CURVE_PARAMETERS, CURVES

MAX_SCHEDULES = 64
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Choice:
    """A schedule to compare: a name, or a curve with settings."""

    name: str
    settings: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As the report calls it."""
        return " ".join([self.name, *(f"{name}={value:g}" for name, value in self.settings.items())])


def parse_schedules(text: str, names: Iterable[str]) -> list[Choice]:
    """Schedules from lines such as "simple, karras" and "karras rho: 3, 5, 7".

    A curve with settings ends its line, and is tried with every combination of the values given.

    Args:
        names: schedulers that may be given without settings; the curves may too.
    Raises:
        ValueError: names the input `schedules`.
    """
    known = [*dict.fromkeys([*names, *CURVES])]
    choices: list[Choice] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if ":" in line or "=" in line:
            choices += _curve_line(line, known)
        else:
            choices += [Choice(_known(name, known, "schedules")) for name in _names(line)]
        if len(choices) > MAX_SCHEDULES:
            raise ValueError(f"schedules: that makes more than {MAX_SCHEDULES} schedules; give fewer values")
    return list({choice.label: choice for choice in choices}.values())


def parse_samplers(text: str, names: Iterable[str]) -> list[str]:
    """Sampler names from "euler, dpmpp_2m".

    Raises:
        ValueError: names the input `samplers`.
    """
    known = list(names)
    return list(dict.fromkeys(_known(name, known, "samplers") for name in _names(text)))


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[,;\s]+", text.strip()) if name]


def _known(name: str, names: list[str], where: str, kind: str = "name") -> str:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names[:12])} and others"
        raise ValueError(f"{where}: there is no {kind} {name!r} here; {hint}")
    return name


def _curve_line(line: str, known: list[str]) -> list[Choice]:
    """Plain names, then a curve with settings: "karras rho: 3, 5; ...". The names may be missing."""
    before, *parts = re.split(r"([A-Za-z_]+)\s*[:=]", line)
    *plain, curve = _names(before) or [""]
    if not curve:
        raise ValueError(f"schedules: begin {line!r} with the name of a curve, such as karras rho: 3, 5, 7")
    curve = _known(curve, list(CURVE_PARAMETERS), "schedules", "curve")
    limits = {knob.name: (knob.minimum, knob.maximum) for knob in CURVE_PARAMETERS[curve]}
    settings = {name: _values(curve, name, text, limits) for name, text in zip(parts[::2], parts[1::2])}
    tried = [Choice(curve, dict(zip(settings, values))) for values in product(*settings.values())]
    return [*(Choice(_known(name, known, "schedules")) for name in plain), *tried]


def _values(curve: str, name: str, text: str, limits: dict[str, tuple[float, float]]) -> list[float]:
    if name not in limits:
        has = f"it has {', '.join(limits)}" if limits else "it has none"
        raise ValueError(f"schedules: the curve {curve} has no setting {name!r}; {has}")
    low, high = limits[name]
    values: list[float] = []
    for part in re.split(r"[,;\s]+", text.strip().strip(",;").strip()):
        if not _NUMBER.fullmatch(part):
            raise ValueError(f"schedules: {part!r} is no value of {name}; type numbers, such as {low:g}, {high:g}")
        if not low <= float(part) <= high:
            raise ValueError(f"schedules: {name} of {curve} must be from {low:g} to {high:g}, got {part}")
        values.append(float(part))
    return list(dict.fromkeys(values))
