"""The functions behind the panel's Library: what is there, and what is done with the chosen preset."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from ...schedules.hosting.library import LibraryError
from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import from_bytes, save_preset
from ...schedules.presets.names import SUFFIX
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import from_share_code, to_share_code
from ..host.folders import preset_library, preset_store
from ..host.identity import loaded_range, model_identity
from ..registration import OPTIMAL
from ..schedulers import choose
from ..state import CODE, MATCH, NONE, PanelChoice
from . import html
from .actions import choices

# Rows that the list shows at once; a search finds the others.
_SHOWN = 40


def listed(search: str) -> str:
    """The presets that a search finds, those for the loaded checkpoint first."""
    sigma_range = loaded_range()
    running = None if sigma_range is None else model_identity(sigma_range)
    cards, matching, there = preset_library().searched(running, search or "", _SHOWN)
    return html.preset_table(cards, matching, there)


def renamed(preset: str, name: str, search: str) -> tuple[Any, str, str]:
    """The dropdown with the preset's new name chosen, a message, and the list."""
    if preset in (MATCH, NONE, CODE):
        return gr.update(), html.warned("Choose a preset by its name to rename it."), listed(search)
    try:
        new = preset_library().rename(preset, name or "")
    except LibraryError as error:
        return gr.update(), html.warned(str(error)), listed(search)
    return gr.update(choices=choices(), value=new), html.lines([f"{preset} is called {new} now."]), listed(search)


def deleted(preset: str, sure: bool, search: str) -> tuple[Any, str, str]:
    """The dropdown without the preset, a message, and the list; nothing is done where the person was not sure."""
    if preset in (MATCH, NONE, CODE):
        return gr.update(), html.warned("Choose a preset by its name to delete it."), listed(search)
    if not sure:
        return gr.update(), "", listed(search)
    try:
        preset_library().delete(preset)
    except LibraryError as error:
        return gr.update(), html.warned(str(error)), listed(search)
    return gr.update(choices=choices(), value=MATCH), html.lines([f"{preset} is deleted."]), listed(search)


def inspected(dark: bool, preset: str, code: str) -> str:
    """The chosen preset in words and as a plot."""
    try:
        chosen = _chosen(preset, code)
    except ValueError as error:
        return html.warned(str(error))
    return html.lines(html.preset_facts(chosen)) + html.preset_plot(chosen, bool(dark))


def exported(preset: str, code: str) -> tuple[Any, Any, str]:
    """The chosen preset as a share code and as a file to download."""
    try:
        chosen = _chosen(preset, code)
    except ValueError as error:
        return gr.update(visible=False), gr.update(visible=False), html.warned(str(error))
    try:
        text, said = to_share_code(chosen), ""
    except PresetError as error:
        text, said = "", html.warned(str(error))
    name = (chosen.name or "share code").rsplit("/", 1)[-1]
    path = save_preset(Path(tempfile.mkdtemp(prefix="sigmasmith-")) / f"{name}{SUFFIX}", chosen)
    return gr.update(value=text, visible=bool(text)), gr.update(value=str(path), visible=True), said


def save_code(code: str) -> tuple[Any, str]:
    """A pasted share code as a preset file."""
    try:
        return _saved(from_share_code(code or ""))
    except PresetError as error:
        return gr.update(), html.warned(f"Share code: {error}")


def save_file(data: Any) -> tuple[Any, str]:
    """An uploaded file as a preset; nothing of it is used before all of it was checked."""
    if not isinstance(data, bytes):
        return gr.update(), ""
    try:
        return _saved(from_bytes(data))
    except PresetError as error:
        return gr.update(), html.warned(f"Import: {error}")


def _saved(preset: Preset) -> tuple[Any, str]:
    store, name = preset_store(), preset.name or f"imported {preset.short_hash}"
    if store.by_hash(preset.hash) == name and not preset.coefficients:
        said = f"The preset {name} is here already."
    else:
        store.save(name, preset)
        said = f"Saved as {name}."
    return gr.update(choices=choices(), value=name), html.lines([said])


def _chosen(preset: str, code: str) -> Preset:
    if preset == CODE:
        return from_share_code(code or "")
    if preset == NONE:
        raise ValueError("No preset is chosen; choose one to inspect or export it.")
    if preset != MATCH:
        return preset_store().load(preset)
    sigma_range = loaded_range()
    if sigma_range is None:
        raise ValueError("The checkpoint is not loaded yet, so none matches it; choose a preset by its name.")
    matching = choose(OPTIMAL, PanelChoice(), model_identity(sigma_range))
    if matching.preset is None:
        raise ValueError(matching.why)
    return matching.preset
