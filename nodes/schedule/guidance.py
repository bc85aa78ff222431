"""Sigmasmith Guidance: CFG as a curve over sigma, on the model."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...schedules.curves.guidance import SHAPES, UNITS, SigmaAxis, guidance_curve, parse_values
from ..host.guidance import percent_to_sigma_of, with_guidance
from ..host.noise_levels import sigma_range_of
from ..schema import CATEGORY, choice, number, schema, text, text_ui


class SigmasmithGuidance(io.ComfyNode):
    """A guidance curve as a model patch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithGuidance",
            display_name="Sigmasmith Guidance",
            category=CATEGORY,
            description="CFG in an interval of the run or as a curve, for every sampler behind it. Where CFG is 1 the "
            "negative prompt is not computed, which halves the time of those steps. Place it in front of Fit Schedule "
            "too, so that the schedule is fitted under it.",
            search_aliases=[
                "sigmasmith",
                "guidance",
                "guidance interval",
                "cfg schedule",
                "cfg curve",
                "limited guidance",
            ],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="Any model that is sampled with one CFG and a negative prompt."),
                choice(
                    "shape",
                    list(SHAPES),
                    "Interval: the sampler's CFG between start and end. Rising: from outside at start to the "
                    "sampler's CFG at end; falling: the other way. List: the CFGs in values.",
                ),
                number(
                    "start",
                    0.2,
                    (0.0, 100_000.0, 0.01),
                    "Where it begins, in the unit below. 0 percent is pure noise; a sigma is highest there.",
                    round=0.0001,
                ),
                number(
                    "end",
                    0.9,
                    (0.0, 100_000.0, 0.01),
                    "Where it ends, in the unit below. 1 percent, or sigma 0, is the finished image.",
                    round=0.0001,
                ),
                choice(
                    "unit",
                    list(UNITS),
                    "Percent: share of the run from 0 to 1, as in Apply ControlNet. Log sigma: share of the "
                    "model's noise range, even in the logarithm. Sigma: the noise level itself.",
                ),
                number(
                    "outside",
                    1.0,
                    (0.0, 100.0, 0.1),
                    "CFG outside the interval, or at the low end of a ramp. 1 is without guidance.",
                    round=0.01,
                ),
                text(
                    "values",
                    "",
                    "For the shape list: CFGs spread evenly from start to end, such as 1, 7, 5, or each with "
                    "its place in the unit, such as 0.2: 1, 0.4: 7, 0.9: 3. Straight lines between them.",
                    optional=True,
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model, sampled under the curve."),
                io.String.Output(display_name="info", tooltip="The curve in words, with its sigmas."),
            ],
        )

    @classmethod
    def execute(
        cls, model: Any, shape: Any, start: float, end: float, unit: Any, outside: float, values: str = ""
    ) -> io.NodeOutput:
        patched, said = guided_model(model, shape, start, end, unit, outside, values, cls.hidden.unique_id)
        return io.NodeOutput(patched, said, ui=text_ui(said))


def guided_model(
    model: Any, shape: Any, start: float, end: float, unit: Any, outside: float, values: str, node_id: Any = None
) -> tuple[Any, str]:
    """A clone of the model that samples under the curve of these inputs, and the curve in words.

    Raises:
        ValueError: names the input.
    """
    axis = SigmaAxis(unit, sigma_range_of(model), percent_to_sigma_of(model))
    curve = guidance_curve(shape, start, end, axis, outside=outside, values=parse_values(values))
    return with_guidance(model, curve, node_id), curve.in_words()
