"""Noise under control: eta and noise over sigma around any sampler, and DDIM with its inversion."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..schema import CATEGORY, choice, number, schema, switch, text, whole
from .noise import NOISES, SAMPLERS_OWN

_CURVE = "A number, or over the run: cosine 1 to 0 | linear 1 to 0 | window 1 from 5 to 0.3 (sigmas) | list 1, 0.5, 0 "
_CURVE += "(one per step)."
_SEEDS = "One seed per image, such as 7, 8, 9: each image is then the same alone and in any batch, its first noise "
_SEEDS += "included. More images than seeds count on from the last. Empty: the sampler's seed, counting up."


def noise_inputs(*first: str) -> list[io.Input]:
    """Where noise comes from, as inputs."""
    return [
        choice(
            "noise",
            [*first, *NOISES],
            "Per image: a picture does not depend on the others in its batch. One path: with another step "
            "count the same noise comes, finer or coarser, so the composition stays. On the CPU every machine draws "
            "the same.",
        ),
        text("seeds", "", _SEEDS, optional=True),
    ]


def sampler_output() -> list[io.Output]:
    """The output of both nodes."""
    return [io.Sampler.Output(display_name="sampler", tooltip="For SamplerCustom and its relatives.")]


class SigmasmithVariance(io.ComfyNode):
    """Variance control around a sampler."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithVariance",
            display_name="Sigmasmith Variance",
            category=CATEGORY,
            description="Sets how much noise a sampler adds at which noise level. The sampler's own code runs wherever "
            "that is exact; the log and the text below the node say what ran and the noise that every step added.",
            search_aliases=["sigmasmith", "eta", "noise", "s_noise", "ancestral", "churn", "restart", "variance"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Sampler.Input("sampler", tooltip="From KSamplerSelect or a Sampler node."),
                text("eta", "cosine 1 to 0", "0 deterministic to 1 full noise. Empty: the sampler's own. " + _CURVE),
                text("s_noise", "1", "Factor of all noise, 0 to 2. " + _CURVE),
                number(
                    "posterior",
                    0.0,
                    (0.0, 1.0, 0.01),
                    "Needs eta 1 or empty. Variance of the noise between its lower bound (0) and its upper "
                    "bound (1), on a logarithmic scale.",
                ),
                text(
                    "clamp",
                    "0",
                    "0 to 1: how strongly each channel's spread is held where it belongs at every noise level, "
                    "by at most 10 % a step. " + _CURVE,
                ),
                number(
                    "s_churn",
                    0.0,
                    (0.0, 1000.0, 0.1),
                    "Noise added before steps and removed by them, as in EDM; divided by the number of steps.",
                ),
                number("s_tmin", 0.0, (0.0, 100_000.0, 0.01), "Smallest sigma that is churned."),
                number("s_tmax", 1000.0, (0.0, 100_000.0, 0.01), "Largest sigma that is churned."),
                text(
                    "restarts",
                    "",
                    "Intervals of sigmas that are run again, such as 0.3-1.1 x2, 2-5: at the lower end noise "
                    "takes the run back to the upper one. Every repeat costs the steps inside.",
                ),
                *noise_inputs(SAMPLERS_OWN),
                io.Latent.Input(
                    "reference",
                    optional=True,
                    tooltip="Finished latents of a long run of the same model: their spread is what clamp and "
                    "posterior hold to. Without them a spread of 1.",
                ),
            ],
            outputs=sampler_output(),
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import controlled

        return io.NodeOutput(controlled(cls.hidden.unique_id, **inputs))


class SigmasmithDDIM(io.ComfyNode):
    """DDIM and its inversion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithDDIM",
            display_name="Sigmasmith DDIM",
            category=CATEGORY,
            description="DDIM with eta and repeatable noise. With rising sigmas (FlipSigmas, add_noise off) it "
            "inverts: it finds the noise from which the given latent is made. A run from that noise, add_noise off "
            "again, brings the latent back.",
            search_aliases=["sigmasmith", "ddim", "inversion", "unsample", "deterministic"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                text("eta", "0", "0 is deterministic, 1 full noise; inversion adds none. " + _CURVE),
                *noise_inputs(),
                whole(
                    "corrections",
                    12,
                    (0, 100),
                    "Inversion: most model calls per step. One already takes most of the error; more are made "
                    "only where they are needed. 0 is the plain inversion.",
                ),
                number(
                    "tolerance",
                    0.005,
                    (0.0, 1.0, 0.001),
                    "Inversion: the error of a step, as a share of the latent's spread, that ends its corrections.",
                ),
                switch(
                    "check",
                    False,
                    "Inversion: also run back and report the round-trip error. One more model call per step.",
                ),
            ],
            outputs=sampler_output(),
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import ddim

        return io.NodeOutput(ddim(cls.hidden.unique_id, **inputs))
