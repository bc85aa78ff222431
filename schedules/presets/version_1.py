"""Facts that presets of format version 1 say in words only; version 2 has keys for them (made.py)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .checks import PresetError
from .made import PILOT
from .preset import Preset

_CHOICE = re.compile(r"^Chosen among (\S+(?:, \S+)*) and (\S+)\.$", re.MULTILINE)
_SIGMA = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_MODELS = re.compile(rf"^Two models: (.+) from sigma {_SIGMA} upwards, (.+) below\.$", re.MULTILINE)
_NAMELESS = ("the first", "the second")


def with_facts_of_notes(preset: Preset) -> Preset:
    """The preset with the facts that its notes and its effort say in the sentences of version 1.

    What a person wrote there may look like such a sentence and hold no such fact: it stays a note.
    """
    facts = [{"method": PILOT}] if (preset.effort or "").startswith("pilot of ") else []
    for fact in (*facts, _choice(preset.notes), _models(preset.notes)):
        try:
            preset = replace(preset, made=replace(preset.made, **fact)) if fact else preset
        except PresetError:
            continue
    return preset


def _choice(notes: str) -> dict[str, Any]:
    match = _CHOICE.search(notes)
    return {"chosen_among": (*match[1].split(", "), match[2])} if match else {}


def _models(notes: str) -> dict[str, Any]:
    match = _MODELS.search(notes)
    if not match:
        return {}
    names = tuple("" if name == nameless else name for name, nameless in zip((match[1], match[3]), _NAMELESS))
    return {"boundary": float(match[2]), "models": names}
