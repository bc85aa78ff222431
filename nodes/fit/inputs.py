"""What both Fit nodes take and give out."""

from __future__ import annotations

from comfy_api.latest import io

from ..inputs import noise_seed_input, sampler_name_input
from ..schema import PresetType, advanced

# As calibrate takes them: the fit of this pack, and the recursive search of Optimal Stepsize (arXiv:2503.21774).
METHODS = ("gauss_newton", "oss")


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
