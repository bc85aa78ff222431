"""Closed-form schedules for the model's own noise range."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ...schedules.core.sigmas import check_steps, steps_before_truncation
from ...schedules.hosting.named_curves import CURVE_PARAMETERS, CURVES
from ..host.metadata import note_run
from ..host.noise_levels import sigma_range_of
from ..schema import CATEGORY, choice, number, schema, text, text_ui, whole
from ..text import parse_settings, will_run


def curve_sigmas(model: Any, curve: str, steps: int, denoise: float, **settings: float) -> Tensor:
    """(steps + 1,) sigmas of a curve; below denoise 1 the end of a longer one, as KSampler does it.

    At denoise 0 nothing runs: the list is empty, as the host's own nodes have it.
    """
    if denoise <= 0.0:
        return torch.zeros(0)
    levels = sigma_range_of(model)
    full = steps_before_truncation(check_steps(steps), denoise)
    return CURVES[curve](full, levels.sigma_min, levels.sigma_max, flow=levels.flow, **settings)[-(steps + 1) :].clone()


def node_output(sigmas: Tensor) -> io.NodeOutput:
    """The sigmas, and what will run in words."""
    note_run(sigmas)
    return io.NodeOutput(sigmas, ui=text_ui(f"{will_run(sigmas)}."))


def common() -> list[io.Input]:
    """The inputs of every curve node."""
    return [
        io.Model.Input("model", tooltip="Its noise range is used, whatever model it is."),
        whole("steps", 20, (1, 10_000), "Steps that will run."),
        number("denoise", 1.0, (0.0, 1.0, 0.01), "Below 1 to change an image, as in KSampler."),
    ]


class SigmasmithCosine(io.ComfyNode):
    """The cosine schedule."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithCosine",
            display_name="Sigmasmith Cosine Schedule",
            category=CATEGORY,
            description="The cosine schedule of Improved DDPM, for the noise range of the model.",
            search_aliases=["sigmasmith", "cosine", "sigmas"],
            inputs=[
                *common(),
                number("offset", 0.008, (0.0, 1.0, 0.001), "Noise kept in the first timesteps."),
                number("max_beta", 0.999, (0.5, 0.9999, 0.0001), "Clip near pure noise."),
            ],
            outputs=[io.Sigmas.Output(display_name="sigmas", tooltip="steps + 1 noise levels, the last 0.")],
        )

    @classmethod
    def execute(cls, model: Any, steps: int, denoise: float, offset: float, max_beta: float) -> io.NodeOutput:
        return node_output(curve_sigmas(model, "cosine", steps, denoise, offset=offset, max_beta=max_beta))


class SigmasmithCurve(io.ComfyNode):
    """Any closed form."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        known = [
            f"{curve}: {', '.join(f'{knob.name}={knob.default:g} ({knob.help})' for knob in knobs)}"
            for curve, knobs in CURVE_PARAMETERS.items()
            if knobs
        ]
        return schema(
            node_id="SigmasmithCurve",
            display_name="Sigmasmith Curve Schedule",
            category=CATEGORY,
            description="A closed-form schedule for the noise range of the model.",
            search_aliases=["sigmasmith", "karras", "exponential", "laplace", "tangent", "beta", "sigmas"],
            inputs=[
                *common(),
                choice("curve", list(CURVES), "The family of the schedule."),
                text("settings", "", "Empty for the usual ones, or such as rho=5. " + " | ".join(known), optional=True),
            ],
            outputs=[io.Sigmas.Output(display_name="sigmas", tooltip="steps + 1 noise levels, the last 0.")],
        )

    @classmethod
    def execute(cls, model: Any, steps: int, denoise: float, curve: str, settings: str = "") -> io.NodeOutput:
        allowed = {knob.name: (knob.minimum, knob.maximum) for knob in CURVE_PARAMETERS[curve]}
        return node_output(curve_sigmas(model, curve, steps, denoise, **parse_settings(settings, allowed, curve)))
