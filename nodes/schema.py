"""The category, the inputs in one line each, and all else that every node's schema shares."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

CATEGORY = "sampling/Sigmasmith"
# Entries of a node's `ui` for the page: pictures that it lays side by side, and a table.
PICTURES, REPORT = "sigmasmith_pictures", "sigmasmith_report"
PresetType = io.Custom("SIGMASMITH_PRESET")
RewardType = io.Custom("SIGMASMITH_REWARD")


def schema(**fields: Any) -> io.Schema:
    """io.Schema without the fields that this host does not know yet."""
    known = io.Schema.__dataclass_fields__
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def number(name: str, default: float, span: tuple[float, float, float], tooltip: str, **more: Any) -> io.Input:
    """A number; `span` is (lowest, highest, step), and `more`, here and below, goes to the host's input as it is."""
    low, high, step = span
    return io.Float.Input(name, default=default, min=low, max=high, step=step, tooltip=tooltip, **more)


def whole(name: str, default: int, span: tuple[int, int], tooltip: str, **more: Any) -> io.Input:
    """A whole number; `span` is (lowest, highest)."""
    low, high = span
    return io.Int.Input(name, default=default, min=low, max=high, tooltip=tooltip, **more)


def text(name: str, default: str, tooltip: str, **more: Any) -> io.Input:
    """A text to type."""
    return io.String.Input(name, default=default, tooltip=tooltip, **more)


def switch(name: str, default: bool, tooltip: str, **more: Any) -> io.Input:
    """On or off."""
    return io.Boolean.Input(name, default=default, tooltip=tooltip, **more)


def choice(name: str, options: list[str], tooltip: str, **more: Any) -> io.Input:
    """One of several names."""
    return io.Combo.Input(name, options=options, tooltip=tooltip, **more)


def advanced(given: io.Input) -> io.Input:
    """The input, folded away with the advanced ones; old hosts have no argument for it and hand the option on."""
    given.extra_dict = {**given.extra_dict, "advanced": True}
    return given


def text_ui(text: str) -> dict[str, Any]:
    """The `ui` of a node that shows words."""
    return {"text": (text,)}
