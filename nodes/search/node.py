"""The nodes that search: over seeds, and inside a run."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...schedules.search.children import STEP_RULES
from ...schedules.search.widths import PRESET_TEXT, parse_widths
from ..host.decoding import DECODERS
from ..host.schedulers import dropdown_names
from ..inputs import cfg_input, conditioned_model, noise_seed_input, sampler_name_input
from ..schema import PresetType, RewardType, choice, number, schema, text, text_ui, whole
from .rewards import CATEGORY_OF_SEARCH

METHODS = ("drafts", "prune a batch")
_PLAN = "How the calls are spread over the run, by the share of noise: uniform; until 0.4 (one child below it); or "
_PLAN += "relative numbers of further children, such as 1: 1, 0.7: 3, 0.4: 0; or preset: the plan that the preset "
_PLAN += "keeps, else uniform."
_JUDGE = "A second reward that is reported and chooses nothing: where it falls while the first rises, the search "
_JUDGE += "has begun to cheat."


class SigmasmithSearchSeeds(io.ComfyNode):
    """The best of many seeds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithSearchSeeds",
            display_name="Sigmasmith Search Seeds",
            category=CATEGORY_OF_SEARCH,
            description="A KSampler that tries many seeds in a few steps each, runs the best one or two in full, and "
            "gives the winner. It is an ordinary seed: a KSampler with the same inputs makes the same picture. Put "
            "Sigmasmith Apply Schedule on the model: drafts of a fitted schedule choose better.",
            search_aliases=["sigmasmith", "best of n", "seed", "reward", "test-time search"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                *conditioned_model("The model to sample with.", "What to show.", "What to leave out."),
                io.Latent.Input("latent", tooltip="Its first sample is what every seed starts from; its mask is kept."),
                io.Vae.Input("vae", tooltip="Makes the pictures that are scored and given out."),
                RewardType.Input("reward", tooltip="What the search raises."),
                whole("seed", 0, (0, 2**64 - 1), "The first seed; the others count on from it."),
                whole("steps", 20, (2, 10_000), "Steps of a full run."),
                cfg_input("Guidance."),
                sampler_name_input("Of the full runs."),
                choice("scheduler", dropdown_names(), "Of the full runs."),
                number("denoise", 1.0, (0.01, 1.0, 0.01), "Below 1 to change an image, as in KSampler."),
                number(
                    "budget", 8.0, (1.0, 1000.0, 0.5), "What it may cost, in full images: 8 costs as much as 8 of them."
                ),
                whole("draft_steps", 4, (1, 100), "Steps of a draft. Fewer make more drafts, which say less."),
                whole("keep", 0, (0, 8), "Drafts that are run in full. 0: one below a budget of 8 images, else two."),
                choice("decode", list(DECODERS), "What makes the drafts' pictures: the VAE, or the quick preview."),
                choice(
                    "method",
                    list(METHODS),
                    "Drafts: many short runs. Prune a batch: one long run of many seeds, the worst of which are "
                    "dropped on the way; for models without a good schedule of few steps.",
                ),
                RewardType.Input("judge", optional=True, tooltip=_JUDGE),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The winner."),
                io.Image.Output(display_name="images", tooltip="The full runs, the winner first."),
                io.Int.Output(display_name="seed", tooltip="The winner's seed, for a KSampler."),
                io.String.Output(display_name="seeds", tooltip="Seeds of the full runs, the winner's first."),
                io.Image.Output(display_name="sheet", tooltip="All drafts with their scores, the best first."),
                io.String.Output(display_name="report", tooltip="Scores, calls, seconds, what the drafts were worth."),
            ],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import searched_seeds

        result = searched_seeds(cls.hidden.unique_id, **inputs)
        given = (result.latent, result.images, result.seed, result.seeds, result.sheet, result.report)
        return io.NodeOutput(*given, ui=text_ui(result.report))


class SigmasmithSearchSampler(io.ComfyNode):
    """A sampler that searches inside its run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithSearchSampler",
            display_name="Sigmasmith Search Sampler",
            category=CATEGORY_OF_SEARCH,
            description="A sampler that draws several children in every step, scores what the model expects each to "
            "become, and goes on from the best. Each image of a batch has its own path and noise. What it cost and "
            "what came of it stands below the node and in the log.",
            search_aliases=["sigmasmith", "reward", "sampler", "steering", "test-time search", "particle"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                RewardType.Input("reward", tooltip="What the search raises."),
                whole("budget", 60, (2, 100_000), "Model calls for each image; three times the steps do well."),
                choice(
                    "rule", list(STEP_RULES), "The step whose noise is drawn several times, named after its sampler."
                ),
                number("eta", 1.0, (0.01, 1.0, 0.01), "Share of noise in a step; less leaves less to choose from."),
                text("plan", "uniform", _PLAN),
                whole("paths", 1, (1, 8), "Paths kept for each image after every step."),
                choice(
                    "decode",
                    list(reversed(DECODERS)),
                    "What makes the pictures that are scored: the quick preview, or the VAE.",
                ),
                text(
                    "seeds",
                    "",
                    "One seed per image, such as 7, 8, 9. Empty: the sampler's, counting up.",
                    optional=True,
                ),
                io.Vae.Input("vae", optional=True, tooltip="For decode VAE."),
                RewardType.Input("judge", optional=True, tooltip=_JUDGE),
            ],
            outputs=[io.Sampler.Output(display_name="sampler", tooltip="For SamplerCustom and its relatives.")],
        )

    @classmethod
    def validate_inputs(cls, plan: str | None = None) -> bool | str:
        # A linked input is None here; it is checked when the node runs.
        try:
            if (plan or "").strip().lower() != PRESET_TEXT:
                parse_widths(plan or "")
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import searching_sampler

        return io.NodeOutput(searching_sampler(cls.hidden.unique_id, **inputs))


class SigmasmithSearchPlan(io.ComfyNode):
    """Where in the run a search draws its children."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithSearchPlan",
            display_name="Sigmasmith Search Plan",
            category=CATEGORY_OF_SEARCH,
            description="The plan of Search Sampler as one line of text: where in the run its children are drawn. With "
            "pilot_images above 0 it is measured: a few images show where the reward is decided, and the plan that "
            "they suggest is given out only if it beats the uniform one on images that the pilot did not see.",
            search_aliases=["sigmasmith", "reward", "plan", "pilot", "search"],
            inputs=[
                text("plan", "uniform", _PLAN),
                whole("pilot_images", 0, (0, 1000), "Images that show where the reward is decided. 0: no pilot."),
                whole("held_out_images", 16, (2, 1000), "Images that both plans are judged on."),
                whole("budget", 60, (2, 100_000), "Model calls for each image, as in Search Sampler."),
                choice("rule", list(STEP_RULES), "As in Search Sampler."),
                number("eta", 1.0, (0.01, 1.0, 0.01), "As in Search Sampler."),
                noise_seed_input("first_seed", "Of the first image; the others count on."),
                cfg_input("Guidance."),
                choice("decode", list(reversed(DECODERS)), "As in Search Sampler."),
                io.Model.Input("model", optional=True, tooltip="For a pilot: the model to sample with."),
                io.Conditioning.Input("positive", optional=True, tooltip="For a pilot: what to show."),
                io.Conditioning.Input("negative", optional=True, tooltip="For a pilot: what to leave out."),
                io.Latent.Input(
                    "latent", optional=True, tooltip="For a pilot: all images start from its first sample."
                ),
                io.Sigmas.Input("sigmas", optional=True, tooltip="For a pilot: the schedule of the run."),
                RewardType.Input("reward", optional=True, tooltip="For a pilot: the reward."),
                io.Vae.Input("vae", optional=True, tooltip="For decode VAE."),
                PresetType.Input(
                    "preset",
                    optional=True,
                    tooltip="A preset to keep the plan in. Its own plan is taken where plan is the word preset.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="plan", tooltip="For Search Sampler; this line is what to share."),
                io.String.Output(display_name="info", tooltip="What the pilot measured, and why this plan."),
                PresetType.Output(display_name="preset", tooltip="The preset with this plan, for Save Preset."),
            ],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import planned

        plan, info, preset = planned(**inputs)
        return io.NodeOutput(plan, info, preset, ui=text_ui(info))
