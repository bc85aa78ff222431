"""The nodes that make rewards."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...schedules.search.rewards import IMAGE_MEASURES, combined, image_reward
from ..schema import CATEGORY, RewardType, choice, number, schema, text

CATEGORY_OF_SEARCH = f"{CATEGORY}/search"
_LINKS, _PARTS = (1, 2, 3), (1, 2, 3, 4)


def reward_output() -> io.Output:
    """The one output of all of them."""
    return RewardType.Output(display_name="reward", tooltip="For Search Seeds, Search Sampler and Combine Rewards.")


class SigmasmithRewardImage(io.ComfyNode):
    """A reward that needs no model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithRewardImage",
            display_name="Sigmasmith Reward Image",
            category=CATEGORY_OF_SEARCH,
            description="Scores pictures by brightness, colour or sharpness, everywhere or in a mask. Needs no model.",
            search_aliases=["sigmasmith", "reward", "brightness", "sharpness", "search"],
            inputs=[
                choice("measure", list(IMAGE_MEASURES), "What is scored."),
                choice("wanted", ["more", "less"], "Whether more of it is better, or less."),
                io.Mask.Input("mask", optional=True, tooltip="Only where this is white it counts; any size."),
            ],
            outputs=[reward_output()],
        )

    @classmethod
    def execute(cls, measure: str, wanted: str, mask: Any = None) -> io.NodeOutput:
        return io.NodeOutput(image_reward(measure, less=wanted == "less", mask=mask))


class SigmasmithRewardClip(io.ComfyNode):
    """Likeness of image and text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithRewardClip",
            display_name="Sigmasmith Reward CLIP",
            category=CATEGORY_OF_SEARCH,
            description="Scores how well a picture fits a text: the cosine of CLIP's embeddings of both, times 100. "
            "CLIP and CLIP Vision must be two halves of one model, such as ViT-L with clip_l.",
            search_aliases=["sigmasmith", "reward", "clip score", "clip vision", "search"],
            inputs=[
                io.Clip.Input("clip", tooltip="CLIP-L or CLIP-G; a checkpoint's own does, if it is one of them."),
                io.ClipVision.Input("clip_vision", tooltip="The vision half of the same CLIP."),
                text("text", "", "What the picture should show.", multiline=True),
            ],
            outputs=[reward_output()],
        )

    @classmethod
    def execute(cls, clip: Any, clip_vision: Any, text: str) -> io.NodeOutput:
        from ..host.rewards import clip_reward

        return io.NodeOutput(clip_reward(clip, clip_vision, text))


class SigmasmithRewardFromNode(io.ComfyNode):
    """The score of another pack's node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        links = [
            io.AnyType.Input(f"link_{place}", optional=True, tooltip="A link that the node needs, such as its model.")
            for place in _LINKS
        ]
        return schema(
            node_id="SigmasmithRewardFromNode",
            display_name="Sigmasmith Reward from Node",
            category=CATEGORY_OF_SEARCH,
            description="Makes a reward of any installed node that scores an image: it is run for every image by "
            "itself, and its number, or the number in its text, is the score.",
            search_aliases=["sigmasmith", "reward", "ImageReward", "HPSv2", "PickScore", "aesthetic", "search"],
            inputs=[
                text("node", "", "Id or title of the node, as its pack registers it; several in a row as A > B."),
                text("settings", "", "Its widgets, one a line, such as prompt = a red house.", multiline=True),
                text("link_names", "", "Names of its inputs that link_1, link_2, link_3 stand for, such as model."),
                text("image_input", "", "Name of its image input. Empty: the first.", optional=True),
                text("output", "", "Name of the output that is the score. Empty: the first number.", optional=True),
                *links,
            ],
            outputs=[reward_output()],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        from .work import reward_of_node

        return io.NodeOutput(reward_of_node([inputs.pop(f"link_{place}", None) for place in _LINKS], **inputs))


class SigmasmithCombineRewards(io.ComfyNode):
    """A weighted sum of rewards."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs: list[io.Input] = []
        for place in _PARTS:
            inputs += [
                RewardType.Input(f"reward_{place}", optional=place > 2, tooltip="A part of the sum."),
                number(f"weight_{place}", 1.0, (-100.0, 100.0, 0.1), "Its weight; below 0 asks for less of it."),
            ]
        return schema(
            node_id="SigmasmithCombineRewards",
            display_name="Sigmasmith Combine Rewards",
            category=CATEGORY_OF_SEARCH,
            description="Adds rewards. Each is first brought to mean 0 and spread 1 over the pictures that a search "
            "compares, so weights do not depend on the units.",
            search_aliases=["sigmasmith", "reward", "sum", "search"],
            inputs=inputs,
            outputs=[reward_output()],
        )

    @classmethod
    def execute(cls, **inputs: Any) -> io.NodeOutput:
        parts = [(inputs[f"weight_{n}"], inputs.get(f"reward_{n}")) for n in _PARTS]
        given = [(weight, reward) for weight, reward in parts if reward is not None]
        return io.NodeOutput(combined(*zip(*given)))
