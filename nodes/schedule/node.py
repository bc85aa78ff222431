"""A preset in use: as sigmas (Schedule), or on the model for the scheduler dropdown (Apply)."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.preset import Preset
from ..host.metadata import note_run
from ..host.noise_levels import check_same_noise
from ..host.watch import with_preset
from ..inputs import check_preset, use_input
from ..registration import remember
from ..schema import CATEGORY, PresetType, choice, number, schema, text_ui, whole
from ..text import USES, plain_list
from .words import MODES, schedule_info, shift_info


class SigmasmithSchedule(io.ComfyNode):
    """The sigmas of a preset."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithSchedule",
            display_name="Sigmasmith Schedule",
            category=CATEGORY,
            description="The noise levels of a preset for SamplerCustom and others that take SIGMAS, and as a plain "
            "list that runs without this pack.",
            search_aliases=["sigmasmith", "sigmas", "scheduler", "preset"],
            inputs=[
                PresetType.Input("preset", tooltip="From Fit Schedule or Load Preset."),
                whole("steps", 10, (1, 10_000), "Steps that will run."),
                number("denoise", 1.0, (0.0, 1.0, 0.01), "Below 1 to change an image: its share."),
                choice(
                    "mode",
                    list(MODES),
                    "Below denoise 1. Host: the end of a longer schedule, as KSampler does it; where it starts "
                    "depends on the schedule. Noise level: starts where the share of noise is denoise, always.",
                ),
            ],
            outputs=[
                io.Sigmas.Output(display_name="sigmas", tooltip="steps + 1 noise levels, the last 0."),
                io.String.Output(display_name="list", tooltip="The same as text, for the host's ManualSigmas node."),
                io.String.Output(
                    display_name="info", tooltip="Start sigma, steps that will run, fitted or interpolated."
                ),
            ],
        )

    @classmethod
    def execute(cls, preset: Preset, steps: int, denoise: float, mode: str) -> io.NodeOutput:
        check_preset(preset)
        # Nothing runs at denoise 0, as in the host's own nodes.
        asked, said = preset_run(preset, steps, denoise, MODES[mode]) if denoise > 0.0 else (torch.zeros(0), "")  # pyright: ignore[reportArgumentType]
        sigmas = remember(asked)
        note_run(sigmas, preset)
        info = schedule_info(preset, sigmas, said) + shift_info(preset)
        return io.NodeOutput(sigmas, plain_list(sigmas.tolist()), info, ui=text_ui(info))


class SigmasmithApply(io.ComfyNode):
    """A preset on the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithApply",
            display_name="Sigmasmith Apply Schedule",
            category=CATEGORY,
            description="Puts a preset on the model: every node behind it that has a scheduler list uses it under the "
            "name sigmasmith_optimal. Place it directly in front of the sampler, behind LoRAs and ModelSampling nodes. "
            "It says here when a run differs from what the preset was fitted to.",
            search_aliases=["sigmasmith", "scheduler", "preset"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="The model the preset was fitted to."),
                PresetType.Input("preset", tooltip="From Fit Schedule or Load Preset."),
                use_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model; choose sigmasmith_optimal.")],
        )

    @classmethod
    def execute(cls, model: Any, preset: Preset, use: str = USES[0]) -> io.NodeOutput:
        if use != USES[0]:
            return io.NodeOutput(model)
        check_same_noise(model, check_preset(preset))
        return io.NodeOutput(with_preset(model, preset, cls.hidden.unique_id))
