"""The inputs and outputs of both Fit nodes."""

from __future__ import annotations

from comfy_api.latest import io

from ...schedules.core.run import LEAST_ASKED
from ...schedules.samplers.fitted import NAME
from ..inputs import noise_seed_input, sampler_name_input
from ..schema import PresetType, advanced, choice, number, switch, text, whole

# As calibrate takes them: the fit of this pack, and the recursive search of Optimal Stepsize (arXiv:2503.21774).
METHODS = ("gauss_newton", "oss")


def settings() -> list[io.Input]:
    """The inputs that both Fit nodes share."""
    return [
        sampler_name_input(
            "The sampler that you will use with the schedule; every sampler has its own best one. sigmasmith_multistep "
            "gains most, for its steps are fitted too. For another one choose effort fast.",
            NAME,
        ),
        text(
            "steps",
            "10",
            "Step counts to fit: one, such as 10, or several, such as 5, 8, 10, 20. Further ones cost little. "
            "Counts between them are interpolated when the preset is used.",
        ),
        advanced(
            whole(
                "noises",
                4,
                (LEAST_ASKED, 64),
                "How many start noises the fit is made on at least; a quarter of them, 2 and more, only judge the "
                "result. More take longer and give a schedule that is surer to hold for other seeds.",
            )
        ),
        advanced(
            choice(
                "effort",
                ["quick", "fast", "balanced", "thorough"],
                "How many model calls the fit may take. quick finds a few numbers of your model, on 6 noises, for "
                "sigmasmith_multistep; fast moves every step a little besides, for twice the calls. balanced fits "
                "every step on 16 noises at least, and takes several times as long.",
                default="fast",
            )
        ),
        advanced(
            noise_seed_input(
                "calibration_seed",
                "Seed of the start noises of the fit. It has nothing to do with the seed of your images.",
            )
        ),
        advanced(
            number(
                "minutes",
                0.0,
                (0.0, 10_000.0, 1.0),
                "Stop after this many minutes and take the best schedule so far. 0: no limit.",
            )
        ),
        text(
            "name",
            "",
            "The preset is saved under this name in models/sigmasmith; empty: that of the model and the sampler. Where "
            "it exists and serves the inputs, it is returned at once, without a model call.",
        ),
        advanced(switch("refit", False, "Fit anew, once, and replace the preset of this name.")),
        advanced(
            switch(
                "choose_sampler",
                False,
                "Also fit other samplers that make no noise of their own and call the model once a step (dpmpp_2m, "
                "res_multistep, ipndm, deis), and take the best. The report names it; use it in the KSampler. Takes "
                "about four times as long.",
                optional=True,
            )
        ),
    ]


def boundary_input() -> io.Input:
    """Where the second of two models takes over."""
    return advanced(
        number(
            "boundary",
            0.875,
            (0.01, 0.99, 0.005),
            "With a second model: the share of noise at which it takes over. Wan 2.2: 0.875 for text to video, 0.9 "
            "for image to video. The report names the step to switch after. Without a second model it does nothing.",
            round=0.001,
            optional=True,
        )
    )


def latent_input() -> io.Input:
    """The size of what is sampled, and below denoise 1 what it starts from."""
    return io.Latent.Input(
        "latent",
        tooltip="An empty latent of the size you will use. With denoise below 1 it may hold images of yours to start "
        "from.",
    )


def denoise_input() -> io.Input:
    """The denoise that the fit is for: whole images, or images that are changed."""
    return advanced(
        number(
            "denoise",
            1.0,
            (0.05, 1.0, 0.05),
            "1: for whole images. Below 1: for detailers, upscalers and img2img at this denoise. The fit starts "
            "from the images of the latent, or, where that is empty, from images that the model makes first.",
            round=0.01,
            optional=True,
        )
    )


def method_input() -> io.Input:
    """How schedules are searched for; last, so that saved graphs keep their values."""
    return advanced(
        choice(
            "method",
            list(METHODS),
            "How the schedule is searched for. gauss_newton finds better ones; oss is the search published as "
            "Optimal Steps, for comparison.",
            default=METHODS[0],
            optional=True,
        )
    )


def vae_input() -> io.Input:
    """The VAE that makes the pictures before and after."""
    return io.Vae.Input(
        "vae",
        optional=True,
        tooltip="Connect it to see the fit beside what you use now, on noises that it has not seen. Without it the "
        "pictures come from the host's preview.",
    )


def frequency_weight_input() -> io.Input:
    """The weight of errors in fine detail; last, so that saved graphs keep their values."""
    return advanced(
        number(
            "frequency_weight",
            1.0,
            (0.1, 100.0, 0.1),
            "How many times more an error in the finest detail of the latent counts than one in flat areas, in the "
            "search and in the errors of the report. 1: all alike. Errors in fine detail are what people see as noise.",
            round=0.01,
            optional=True,
        )
    )


def outputs() -> list[io.Output]:
    """The outputs that all nodes share which make a preset."""
    return [
        PresetType.Output(display_name="preset", tooltip="For Sigmasmith Apply Schedule, Schedule and Save Preset."),
        io.Sigmas.Output(display_name="sigmas", tooltip="The schedule for the first of the step counts."),
        io.Image.Output(display_name="plot", tooltip="One picture per step count: the fitted curve and the host's."),
        io.String.Output(display_name="report", tooltip="What was fitted and how good it is, in words."),
    ]


def before_after_output() -> io.Output:
    """The pictures before and after; the last output."""
    return io.Image.Output(
        display_name="before_after",
        tooltip="The reference, what you use now and the fit side by side, on noises that the fit has not seen.",
    )
