"""Where a run's error is, pixel by pixel, and another run where it stayed large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io, ui

from ..inputs import cfg_input, conditioned_model
from ..schema import CATEGORY, RewardType, number, schema, text_ui, whole

if TYPE_CHECKING:
    from .work import FeedbackResult


def sampling_inputs() -> list[io.Input]:
    """The inputs of both nodes, those of SamplerCustom."""
    return [
        *conditioned_model("The model to sample with.", "What to show.", "What to leave out."),
        io.Latent.Input("latent", tooltip="An empty latent, or an image to change; its noise mask is kept."),
        whole("seed", 0, (0, 2**64 - 1), "Seed of the noise, as in KSampler."),
        cfg_input("Guidance."),
        io.Sampler.Input(
            "sampler",
            tooltip="From KSamplerSelect. Take one without noise of its own: added noise would count as error.",
        ),
        io.Sigmas.Input("sigmas", tooltip="The schedule, from BasicScheduler or Sigmasmith Schedule."),
    ]


def node_output(result: FeedbackResult, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """A result as the nodes give it out and show it."""
    picture, report = result.picture, result.report
    shown: dict[str, Any] = ui.PreviewImage(picture, cls=cls).as_dict()
    return io.NodeOutput(result.latent, picture, result.mask, report, ui=shown | text_ui(report))


class SigmasmithErrorMap(io.ComfyNode):
    """Sample, and see where the sampler's error is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithErrorMap",
            display_name="Sigmasmith Error Map",
            category=CATEGORY,
            description="Samples like SamplerCustom and shows where more steps would change the picture: the "
            "difference between a first-order and a second-order step, collected on the way. It costs no model call.",
            search_aliases=["sigmasmith", "error", "heat map", "solver error", "SamplerCustom"],
            inputs=sampling_inputs(),
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The result, the same as without the map."),
                io.Image.Output(display_name="map", tooltip="Bright where the estimated error is large."),
                io.Mask.Output(display_name="mask", tooltip="The map from 0 to 1, each image by itself."),
                io.String.Output(display_name="report", tooltip="The numbers in words."),
            ],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import error_map

        return node_output(error_map(**inputs), cls)


class SigmasmithRefine(io.ComfyNode):
    """Sample, then sample the worst pixels again in finer steps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithRefine",
            display_name="Sigmasmith Refine by Error",
            category=CATEGORY,
            description="Samples like SamplerCustom, then goes back to the noise of the same run and samples again, in "
            "finer steps, only the pixels whose estimated error stayed large. It stops when the budget is spent or "
            "nothing improves. Every model call computes the whole image, so at share 1, all pixels, the same calls "
            "lower the error more; a smaller share keeps the rest of the picture exactly as it is.",
            search_aliases=["sigmasmith", "error", "detail", "inpaint", "resample", "critic"],
            inputs=[
                *sampling_inputs(),
                whole(
                    "budget",
                    16,
                    (2, 10_000),
                    "Model calls that may be spent beyond the run itself. Once to twice its steps do well.",
                ),
                number(
                    "share",
                    0.25,
                    (0.01, 1.0, 0.01),
                    "Share of the pixels to sample again, the worst first, with their neighbours. 1: all.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="Only where this is white may pixels change. Shape of the image."
                ),
                RewardType.Input(
                    "critic",
                    optional=True,
                    tooltip="Scores the parts of the picture: those below pass_score are sampled again, in place of "
                    "share, until all pass or the budget ends. Needs vae.",
                ),
                number("pass_score", 0.0, (-1e6, 1e6, 0.01), "Score at which a part passes.", optional=True),
                whole("crops", 4, (1, 64), "Parts of a side that the critic sees.", optional=True),
                io.Vae.Input("vae", optional=True, tooltip="Makes the pictures that the critic sees."),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The refined result."),
                io.Image.Output(display_name="map", tooltip="Estimated error after the refinement."),
                io.Mask.Output(display_name="region", tooltip="White where pixels were sampled again."),
                io.String.Output(display_name="report", tooltip="Rounds, model calls, estimates, why it stopped."),
            ],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import refined

        return node_output(refined(**inputs), cls)
