"""Texts that people type and read in nodes: curve settings, and the sentences of schedules/core/words.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..schedules.core.words import Phrase, duration, in_words, parse_steps, plain_list

__all__ = [
    "duration",
    "in_words",
    "parse_settings",
    "parse_steps",
    "plain_list",
    "sentence_of",
    "translatable",
    "will_run",
]

# What the switch of a node that puts something on a model chooses between.
USES = ("fitted", "as set in the sampler")


def parse_settings(text: str, allowed: Mapping[str, tuple[float, float]], curve: str) -> dict[str, float]:
    """Settings of a curve from "rho=7, c=0.5".

    Args:
        allowed: name -> (minimum, maximum).
        curve: for the error message.
    Raises:
        ValueError: names the input `settings`.
    """
    settings: dict[str, float] = {}
    known = ", ".join(allowed) if allowed else "none"
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;\n]", text))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise ValueError(f"settings: {part!r} is not of the form name=number")
        if name not in allowed:
            raise ValueError(f"settings: the curve {curve} has no setting {name!r}; it has {known}")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"settings: {name} must be a number, got {value!r}") from None
        low, high = allowed[name]
        if not low <= number <= high:
            raise ValueError(f"settings: {name} must be from {low:g} to {high:g}, got {value}")
        settings[name] = number
    return settings


def translatable(given: Any) -> Any:
    """Plain data for the page: a Phrase as `say` and `given`, within lists and mappings too; all else as it is."""
    if isinstance(given, Phrase):
        return {"say": given.template, "given": translatable(given.given)}
    if isinstance(given, Mapping):
        return {name: translatable(value) for name, value in given.items()}
    return [translatable(value) for value in given] if isinstance(given, (list, tuple)) else given


def sentence_of(error: Exception) -> str:
    """An error's sentence; as a Phrase where it was raised with one."""
    said = error.args[0] if len(error.args) == 1 else None
    return said if isinstance(said, Phrase) else str(error)


def will_run(sigmas: Tensor) -> str:
    """Steps and start sigma, in words without a full stop."""
    steps = len(sigmas) - 1
    if steps < 1:
        return Phrase("Nothing will run at denoise 0: the image passes through")
    start = f"{float(sigmas[0]):.5g}"
    if steps == 1:
        return Phrase("1 step will run, from sigma {start} to 0", start=start)
    return Phrase("{steps} steps will run, from sigma {start} to 0", steps=steps, start=start)
