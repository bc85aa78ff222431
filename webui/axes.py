"""Our axes of the XYZ grid. A cell is a copy of the host's processing object, so what an axis sets stands on that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .host.folders import preset_store
from .state import MATCH, NONE, PanelChoice

PRESET_AXIS, STEPS_AXIS = "Sigmasmith preset", "Sigmasmith steps as fitted"


def options(make: Any) -> list[Any]:
    """The axes.

    Args:
        make: the host's AxisOption(label, type, apply, confirm=, choices=).
    """
    return [
        make(PRESET_AXIS, str, _set_preset, confirm=_check_presets, choices=preset_choices),
        make(STEPS_AXIS, int, _set_steps, choices=fitted_steps),
    ]


def choice_of(p: Any, choice: PanelChoice) -> PanelChoice:
    """The panel's choice, or that of a cell of the grid."""
    preset = getattr(p, "sigmasmith_preset", None)
    return choice if preset is None else replace(choice, preset=preset)


def preset_choices() -> list[str]:
    """The choices of the preset axis."""
    return [MATCH, NONE, *preset_store().names()]


def fitted_steps() -> list[str]:
    """The step counts that presets of the folder were fitted for, ascending."""
    presets = preset_store().presets().values()
    return [str(count) for count in sorted({preset.running(full) for preset in presets for full in preset.schedules})]


def _set_preset(p: Any, value: str, _values: list[str]) -> None:
    p.sigmasmith_preset = value


def _set_steps(p: Any, value: int, _values: list[int]) -> None:
    p.steps = value


def _check_presets(_p: Any, values: list[str]) -> None:
    unknown = [value for value in values if value not in preset_choices()]
    if unknown:
        raise RuntimeError(f"Sigmasmith preset: there is none called {unknown[0]!r}")
