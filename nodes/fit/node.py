"""Sigmasmith Fit Schedule: a schedule for the loaded model, from its inputs or from a guider."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..host import messages
from ..host.guiders import cfg_guider
from ..host.samplers import check_fit_sampler
from ..inputs import cfg_input, conditioned_model, noise_seed_input, sampler_name_input
from ..plot_picture import plot_images
from ..schema import CATEGORY, PresetType, advanced, schema
from ..text import parse_steps
from .existing import preset_fingerprint
from .request import METHODS, FitRequest, FitResult

SEARCH = ["sigmasmith", "optimal steps", "align your steps", "scheduler", "sigmas", "calibrate"]


def settings() -> list[io.Input]:
    """The inputs that both Fit nodes share."""
    return [
        sampler_name_input("The sampler that you will use with the schedule. Every sampler has its own best schedule."),
        io.String.Input(
            "steps",
            default="10",
            tooltip="Step counts to fit: one, such as 10, or several, such as 5, 8, 10, 20. Further ones cost little. "
            "Counts between them are interpolated when the preset is used.",
        ),
        io.Int.Input(
            "noises",
            default=4,
            min=4,
            max=64,
            tooltip="How many start noises the fit is made on; a quarter of them, at least 2, only judge the result. "
            "More take longer and give a schedule that is surer to hold for other seeds.",
        ),
        io.Combo.Input(
            "effort",
            options=["fast", "balanced", "thorough"],
            default="fast",
            tooltip="How many model calls the fit may take. Start with fast; balanced takes about twice as long.",
        ),
        noise_seed_input(
            "calibration_seed",
            "Seed of the start noises of the fit. It has nothing to do with the seed of your images.",
        ),
        io.Float.Input(
            "minutes",
            default=0.0,
            min=0.0,
            max=10_000.0,
            step=1.0,
            tooltip="Stop after this many minutes and take the best schedule so far. 0: no limit.",
        ),
        io.String.Input(
            "name",
            default="my_model",
            tooltip="The preset is saved under this name in models/sigmasmith. Where it exists and fits the inputs, it "
            "is returned at once, without a model call.",
        ),
        io.Boolean.Input(
            "refit",
            default=False,
            tooltip="Fit anew and replace the preset of this name.",
        ),
        io.Boolean.Input(
            "choose_sampler",
            default=False,
            optional=True,
            tooltip="Also fit other samplers that make no noise of their own and call the model once a step (dpmpp_2m, "
            "res_multistep, ipndm, deis), and take the best. The report names it; use it in the KSampler. Takes about "
            "four times as long.",
        ),
    ]


def boundary_input() -> io.Input:
    """Where the second of two models takes over."""
    return io.Float.Input(
        "boundary",
        default=0.875,
        min=0.01,
        max=0.99,
        step=0.005,
        round=0.001,
        optional=True,
        tooltip="With a second model: the share of noise at which it takes over. Wan 2.2: 0.875 for text to video, 0.9 "
        "for image to video. The report names the step to switch after. Without a second model it does nothing.",
    )


def latent_input() -> io.Input:
    """The size of what is sampled, and below denoise 1 what it starts from."""
    return io.Latent.Input(
        "latent",
        tooltip="An empty latent of the size you will use. With denoise below 1 it may hold images of yours to start "
        "from.",
    )


def denoise_input() -> io.Input:
    """What the fit is for: whole images, or images that are changed."""
    return io.Float.Input(
        "denoise",
        default=1.0,
        min=0.05,
        max=1.0,
        step=0.05,
        round=0.01,
        optional=True,
        tooltip="1: for whole images. Below 1: for detailers, upscalers and img2img at this denoise. The fit starts "
        "from the images of the latent, or, where that is empty, from images that the model makes first.",
    )


def method_input() -> io.Input:
    """How schedules are searched for; last, so that saved graphs keep their values."""
    return advanced(
        io.Combo.Input(
            "method",
            options=list(METHODS),
            default=METHODS[0],
            optional=True,
            tooltip="How the schedule is searched for. gauss_newton finds better ones; oss is the search published as "
            "Optimal Steps, for comparison.",
        )
    )


def outputs() -> list[io.Output]:
    """The outputs that both Fit nodes share."""
    return [
        PresetType.Output(display_name="preset", tooltip="For Sigmasmith Apply Schedule, Schedule and Save Preset."),
        io.Sigmas.Output(display_name="sigmas", tooltip="The schedule for the first of the step counts."),
        io.Image.Output(display_name="plot", tooltip="One picture per step count: the fitted curve and the host's."),
        io.String.Output(display_name="report", tooltip="What was fitted and how good it is, in words."),
    ]


def fitted(request: FitRequest, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """The output of a Fit node."""
    from .work import fit

    return node_output(fit(request), cls)


def node_output(result: FitResult, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """A result as the node gives it out and shows it."""
    # In place of the last progress line, which would stay below the node.
    messages.show("\n".join(title for title, *_ in result.plots), cls.hidden.unique_id)
    plot = plot_images(result.plots)
    shown: dict[str, Any] = ui.PreviewImage(plot, cls=cls).as_dict()
    return io.NodeOutput(result.preset, result.sigmas, plot, result.report, ui=shown | {"text": (result.report,)})


class FitNode(io.ComfyNode):
    """What the host asks both Fit nodes before it runs them."""

    @classmethod
    def validate_inputs(
        cls, sampler_name: str | None = None, steps: str | None = None, choose_sampler: bool | None = None
    ) -> bool | str:
        # A linked input is None here; it is checked when the node runs.
        try:
            if sampler_name is not None:
                check_fit_sampler(sampler_name, bool(choose_sampler))
            if steps is not None:
                parse_steps(steps)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, name: str | None = None, refit: bool | None = None, **_: Any) -> str:
        return preset_fingerprint(name or "", bool(refit))


class SigmasmithFit(FitNode):
    """Fit on model, prompts and guidance, as a KSampler takes them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        more = [
            io.Conditioning.Input(
                f"positive_{number}",
                optional=True,
                tooltip="A further prompt to fit on. Prompts and noises are paired at random, so that the schedule "
                "also serves prompts that it has not seen.",
            )
            for number in (2, 3, 4)
        ]
        return schema(
            node_id="SigmasmithFit",
            display_name="Sigmasmith Fit Schedule",
            category=CATEGORY,
            description="Finds the noise levels at which this very model, with its LoRAs, guidance and sampler, makes "
            "the best image in few steps, and saves them as a preset. Takes minutes once; using it costs nothing.",
            search_aliases=SEARCH,
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                *conditioned_model(
                    "The model to fit to, with everything that is on it when you sample.",
                    "A typical prompt of yours.",
                    "Your usual negative prompt.",
                ),
                latent_input(),
                cfg_input("The guidance you will use."),
                *settings(),
                *more,
                io.Model.Input(
                    "model_low",
                    optional=True,
                    tooltip="The second of two models that follow each other in one run, such as the low-noise model "
                    "of Wan 2.2; model is then the high-noise one. The fit runs them as two KSamplers (Advanced) do.",
                ),
                boundary_input(),
                io.Float.Input(
                    "cfg_low",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    optional=True,
                    tooltip="The guidance you will use with model_low. 0: the same as cfg.",
                ),
                denoise_input(),
                method_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        model_low: Any = None,
        cfg_low: float = 0.0,
        **inputs: Any,
    ) -> io.NodeOutput:
        more = tuple(inputs.pop(f"positive_{number}", None) for number in (2, 3, 4))
        request = FitRequest(
            guider=cfg_guider(model, positive, negative, cfg),
            low_guider=None if model_low is None else cfg_guider(model_low, positive, negative, cfg_low or cfg),
            positives=tuple(prompt for prompt in more if prompt is not None),
            node_id=cls.hidden.unique_id,
            **inputs,
        )
        return fitted(request, cls)


class SigmasmithFitGuider(FitNode):
    """Fit on a guider, as SamplerCustomAdvanced takes it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithFitGuider",
            display_name="Sigmasmith Fit Schedule (Guider)",
            category=CATEGORY,
            description="Sigmasmith Fit Schedule for workflows with a guider: Flux guidance, dual guidance and others.",
            search_aliases=SEARCH,
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Guider.Input("guider", tooltip="Model, prompts and guidance to fit to."),
                latent_input(),
                *settings(),
                io.Guider.Input(
                    "guider_low",
                    optional=True,
                    tooltip="The guider of the second of two models that follow each other in one run, such as the "
                    "low-noise model of Wan 2.2; guider is then that of the high-noise one.",
                ),
                boundary_input(),
                denoise_input(),
                method_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(cls, guider_low: Any = None, **inputs: Any) -> io.NodeOutput:
        request = FitRequest(low_guider=guider_low, low_input="guider_low", node_id=cls.hidden.unique_id, **inputs)
        return fitted(request, cls)
