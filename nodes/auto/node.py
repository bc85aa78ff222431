"""Sigmasmith Auto: one node between model and sampler, and nothing to set."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fit.loader import loaded_file
from ..inputs import use_input
from ..schema import CATEGORY, choice, number, schema, switch
from ..text import USES


class SigmasmithAuto(io.ComfyNode):
    """Every sampler behind it runs what is best for it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithAuto",
            display_name="Sigmasmith Auto",
            category=CATEGORY,
            description="Put it between model and sampler, behind LoRAs and ModelSampling nodes: nothing else is to be "
            "set. Every sampler behind it then runs noise levels and step coefficients tuned to this model, its "
            "steps and its guidance, from the preset library or from a short race at its first picture.",
            search_aliases=["sigmasmith", "faster", "fewer steps", "steps", "sigmas", "scheduler", "auto", "speed"],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            inputs=[
                io.Model.Input("model", tooltip="The model, with everything that is on it when you sample."),
                choice(
                    "tune",
                    ["quick", "none", "fit"],
                    "For a run that has no preset yet. quick finds the main numbers of your model in a short race; "
                    "none takes what suits most models, at no cost; fit does the default fit, which takes minutes.",
                    optional=True,
                ),
                use_input(),
                switch(
                    "keep_sampler",
                    False,
                    "Keep the sampler of the sampling node and change its sigmas alone. Off: sigmasmith_multistep "
                    "runs in place of samplers that draw no noise and call the model once a step.",
                    optional=True,
                ),
                number(
                    "minutes",
                    3.0,
                    (0.0, 10_000.0, 1.0),
                    "Where tuning would take longer by its first model calls, this picture is made untuned and the log "
                    "says so. 0: no limit.",
                    optional=True,
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Connect it to see before and after in full; without it they come from the host's preview.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, for any number of samplers.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        tune: str = "quick",
        use: str = USES[0],
        keep_sampler: bool = False,
        minutes: float = 3.0,
        vae: Any = None,
    ) -> io.NodeOutput:
        if use != USES[0]:
            return io.NodeOutput(model)
        from .work import Auto

        checkpoint = loaded_file(cls.hidden.prompt, cls.hidden.unique_id)
        return io.NodeOutput(Auto(tune, keep_sampler, minutes, checkpoint, cls.hidden.unique_id, vae).on(model))
