"""Schedules by what a person types: a preset file, a share code, a host's name, a curve's name."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.core.types import Schedule
from ..schedules.hosting.named_curves import CURVES
from ..schedules.hosts.schedules import host_schedules
from ..schedules.presets.file import load_preset
from ..schedules.presets.names import SUFFIX
from ..schedules.presets.preset import Preset
from ..schedules.presets.share_code import from_share_code

CURVE_PREFIX = "curve:"
FAMILY = "family"


def find_preset(text: str) -> Preset | None:
    """The preset that a file name or a share code stands for; None where `text` is a plain name."""
    if re.match(r"\s*sigmasmith[0-9]+:", text, re.IGNORECASE):
        return from_share_code(text)
    if text.endswith(SUFFIX) or "/" in text or "\\" in text or os.path.isfile(text):
        return load_preset(text)
    return None


def preset_label(text: str, preset: Preset) -> str:
    """A short name for a preset: the file's, or its own where it came as a share code."""
    if text.endswith(SUFFIX):
        return Path(text).name.removesuffix(SUFFIX)
    return preset.name or f"preset {preset.short_hash}"


def named_schedule(name: str, sigma_range: SigmaRange) -> Schedule:
    """A host's schedule, `curve:NAME` or `family`, for a model of this range.

    Raises:
        ValueError: an unknown name, with the nearest ones.
    """
    known: dict[str, Schedule] = dict(host_schedules(sigma_range))
    for curve, make in CURVES.items():
        known[CURVE_PREFIX + curve] = partial(_made, make, sigma_range)
        known.setdefault(curve, known[CURVE_PREFIX + curve])
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or [key for key in known if ":" not in key]
        raise ValueError(f"there is no schedule {name!r} for this sigma range; did you mean {', '.join(near)}?")
    return known[name]


def _made(make: Callable[..., Tensor], sigma_range: SigmaRange, steps: int) -> Tensor:
    return make(steps, sigma_range.sigma_min, sigma_range.sigma_max, flow=sigma_range.flow)
