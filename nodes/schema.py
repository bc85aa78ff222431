"""What every node's schema shares."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

CATEGORY = "sampling/Sigmasmith"
PresetType = io.Custom("SIGMASMITH_PRESET")


def schema(**fields: Any) -> io.Schema:
    """io.Schema without the fields that this host does not know yet."""
    known = io.Schema.__dataclass_fields__
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def advanced(given: io.Input) -> io.Input:
    """The input, folded away with the advanced ones; old hosts have no argument for it and hand the option on."""
    given.extra_dict = {**given.extra_dict, "advanced": True}
    return given


def text_ui(text: str) -> dict[str, Any]:
    """The `ui` of a node that shows words."""
    return {"text": (text,)}
