"""The fitted multistep sampler as a SAMPLER."""

from __future__ import annotations

from comfy_api.latest import io

from ...schedules.presets.preset import Preset
from ..inputs import check_preset
from ..sampler_names import MULTISTEP
from ..schema import CATEGORY, PresetType, schema, text_ui


class SigmasmithMultistep(io.ComfyNode):
    """The sampler of a preset that was fitted with its own coefficients."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithMultistep",
            display_name="Sigmasmith Multistep Sampler",
            category=CATEGORY,
            description="Runs the step coefficients that were fitted together with a preset's noise levels: choose the "
            "sampler sigmasmith_multistep in Fit Schedule, and use this with the sigmas of the same preset. For other "
            "step counts, denoise below 1 and presets without coefficients it runs as dpmpp_2m and says so.",
            search_aliases=["sigmasmith", "sampler", "multistep", "solver", "dpmpp_2m"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                PresetType.Input("preset", tooltip="Fitted with the sampler sigmasmith_multistep."),
            ],
            outputs=[
                io.Sampler.Output(display_name="sampler", tooltip="For SamplerCustom and others that take a SAMPLER."),
                io.String.Output(display_name="info", tooltip="The step counts that have coefficients."),
            ],
        )

    @classmethod
    def execute(cls, preset: Preset) -> io.NodeOutput:
        from ..host.multistep import multistep_sampler

        info = coefficients_info(check_preset(preset))
        return io.NodeOutput(multistep_sampler(preset, cls.hidden.unique_id), info, ui=text_ui(info))


def coefficients_info(preset: Preset) -> str:
    """Which step counts of a preset have coefficients."""
    if not preset.coefficients and preset.sampler == MULTISTEP:
        return (
            "This preset holds no coefficients: none held on noises they had not seen, or it came as a share code, "
            "which leaves them out. The sampler runs as dpmpp_2m."
        )
    if not preset.coefficients:
        return "This preset holds no coefficients: the sampler runs as dpmpp_2m. Fit one for sigmasmith_multistep."
    rows = [
        f"{steps} steps (over {values.shape[1] - 1} model outputs)" for steps, values in preset.coefficients.items()
    ]
    return f"Coefficients for {', '.join(rows)}; other step counts run as dpmpp_2m."
