"""Presets as files: save and load."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...schedules.core.words import picture_size
from ...schedules.presets.preset import Preset
from ..host import folders
from ..host.input_check import InputCheck
from ..inputs import check_preset
from ..sampler_names import MULTISTEP
from ..schema import CATEGORY, PresetType, choice, schema, switch, text, text_ui


def _check_name(name: str | None = None) -> None:
    if name is not None:
        folders.checked_path(name)


def _check_choice(preset: str | None = None, share_code: str = "") -> None:
    from .store import check_choice

    check_choice(preset, share_code)


class SigmasmithSavePreset(io.ComfyNode):
    """Write a preset under a name."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithSavePreset",
            display_name="Sigmasmith Save Preset",
            category=CATEGORY,
            description="Saves a preset in models/sigmasmith, with your name and notes, and shows its share code. No "
            "prompt, path or user name is ever stored.",
            search_aliases=["sigmasmith", "preset", "share"],
            is_output_node=True,
            inputs=[
                PresetType.Input("preset", tooltip="What to save."),
                text("name", "my_preset", "Name of the preset; a/b makes a folder a."),
                text("author", "", "Whom to thank. Empty keeps what the preset has."),
                text("licence", "", "Such as CC0-1.0. Empty keeps what the preset has."),
                text("notes", "", "Anything else to know about it.", multiline=True),
                switch("overwrite", False, "Replace a preset that has this name."),
            ],
            outputs=[
                PresetType.Output(display_name="preset", tooltip="The same preset."),
                io.String.Output(display_name="share_code", tooltip="One line of text that holds the schedules."),
            ],
        )

    validate_inputs = InputCheck(_check_name)

    @classmethod
    def execute(
        cls, preset: Preset, name: str, author: str, licence: str, notes: str, overwrite: bool
    ) -> io.NodeOutput:
        from .store import save_as, to_share_code

        path = save_as(check_preset(preset), name, author, licence, notes, overwrite)
        code = to_share_code(preset)
        return io.NodeOutput(preset, code, ui=text_ui(f"Saved as {name} ({path.name}).\n{code}"))


class SigmasmithLoadPreset(io.ComfyNode):
    """A preset from a file or a share code."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithLoadPreset",
            display_name="Sigmasmith Load Preset",
            category=CATEGORY,
            description="Loads a preset from models/sigmasmith, or from a share code that somebody sent you.",
            search_aliases=["sigmasmith", "preset", "share code"],
            inputs=[
                choice(
                    "preset",
                    [folders.NO_FILE, *folders.preset_names()],
                    "A preset in models/sigmasmith. Press R after putting a new file there.",
                ),
                text(
                    "share_code",
                    "",
                    "A line that begins with sigmasmith1:. Where one is here, the file is not used.",
                    optional=True,
                ),
            ],
            outputs=[
                PresetType.Output(display_name="preset", tooltip="For Apply Schedule and Schedule."),
                io.String.Output(display_name="info", tooltip="What the preset was fitted to, in words."),
            ],
        )

    validate_inputs = InputCheck(_check_choice, judged=("preset",))

    @classmethod
    def fingerprint_inputs(cls, preset: str = "", share_code: str = "", **_: Any) -> str:
        from .store import load_fingerprint

        return load_fingerprint(preset or "", share_code or "")

    @classmethod
    def execute(cls, preset: str, share_code: str = "") -> io.NodeOutput:
        from .store import load

        loaded = load(preset or "", share_code or "")
        info = preset_info(loaded)
        return io.NodeOutput(loaded, info, ui=text_ui(info))


def preset_info(preset: Preset) -> str:
    """A preset's purpose in words."""
    model = preset.model
    facts = [
        f"Fitted for {preset.counts_in_words}" + (" (exact lists, never interpolated)" if preset.exact else ""),
        f"Sampler: {preset.sampler or 'not said'}",
        f"Model: {model.family or 'not said'}" + (f", {model.checkpoint}" if model.checkpoint else ""),
        f"Sigmas: {model.sigma_min:.4g} to {model.sigma_max:.4g}" + (", flow" if model.flow else ""),
    ]
    if preset.coefficients:
        facts.append(
            f"Coefficients: for {', '.join(map(str, preset.coefficients))} steps; a share code leaves them out"
        )
    elif preset.sampler == MULTISTEP:
        facts.append("Coefficients: none, as from a share code; the sampler runs as dpmpp_2m, the file has them")
    if model.shift is not None:
        facts.append(f"Shift: {model.shift:g}")
    if preset.guidance is not None:
        facts.append(f"Guidance: {preset.guidance:g}")
    if preset.latent_shape:
        facts.append(f"Size: {picture_size(preset.latent_shape, model.family)}")
    said = [("By", preset.author), ("Licence", preset.licence), ("Notes", preset.made.beside(preset.notes))]
    facts += [f"{label}: {text}" for label, text in said if text]
    return "\n".join(facts)
