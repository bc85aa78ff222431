"""Rewards that the host or other packs compute: scores of their nodes, and CLIP. Run by in_process.py in the host."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from loaded_pack import part, raises
from torch import Tensor

import nodes

HOST: Any = nodes


def scores(given: Any, images: Tensor) -> list[float]:
    return given.total(given.measure(images)).tolist()


class FloatScore:
    """A node of another pack in the style of ImageReward's: a model, a prompt, one image, FLOAT and STRING."""

    RETURN_TYPES = ("FLOAT", "STRING")
    RETURN_NAMES = ("SCORE_FLOAT", "SCORE_STRING")
    FUNCTION = "process"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("ODD_MODEL",),
                "prompt": ("STRING", {"multiline": True, "forceInput": True}),
                "images": ("IMAGE",),
                "power": ("INT", {"default": 2}),
            }
        }

    def process(self, model: float, prompt: str, images: Tensor, power: int) -> tuple[float, str]:
        assert len(images) == 1
        score = model * float(images.mean()) ** power + len(prompt)
        return score, f"score: {score:.6f}"


def test_another_packs_score_is_asked_image_by_image_as_a_number_or_as_text():
    make = part("nodes.search.work").reward_of_node
    HOST.NODE_CLASS_MAPPINGS["OddScore"] = FloatScore
    HOST.NODE_DISPLAY_NAME_MAPPINGS["OddScore"] = "Odd Score"
    images = torch.stack([torch.full((4, 4, 3), value) for value in (0.2, 0.5)])
    try:
        lines = "prompt = abc\npower = 1"
        for node, output in (("OddScore", ""), ("Odd Score", "SCORE_STRING")):
            given = make([10.0, None, None], node, lines, "model", output=output)
            assert [round(score, 3) for score in scores(given, images)] == [5.0, 8.0]
        assert [round(s, 3) for s in scores(make([10.0], "OddScore", "prompt = abc", "model"), images)] == [3.4, 5.5]
        assert "node: OddScore also needs model, prompt" in raises(ValueError, lambda: make([], "OddScore", "", ""))
        assert "settings: power must be a number" in raises(
            ValueError, lambda: make([1.0], "OddScore", "prompt = a\npower = x", "model")
        )
        assert "settings: OddScore has no input 'size'" in raises(
            ValueError, lambda: make([1.0], "OddScore", "size = 3", "model")
        )
        assert "link_names: 0 names for 1" in raises(ValueError, lambda: make([1.0], "OddScore", "prompt = a", ""))
        assert "node: 'Missing' is not installed" in raises(ValueError, lambda: make([], "Missing", "", ""))
    finally:
        del HOST.NODE_CLASS_MAPPINGS["OddScore"], HOST.NODE_DISPLAY_NAME_MAPPINGS["OddScore"]


class ScoreParts:
    """Nodes of a pack in the manner of PickScore's: a loader, one that prepares the picture, one that scores."""

    made: ClassVar[list[str]] = []

    class Loader:
        RETURN_TYPES = ("ODD_SCORER",)
        FUNCTION = "load"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {"required": {"factor": ("FLOAT", {"default": 2.0})}}

        def load(self, factor: float) -> tuple[float]:
            ScoreParts.made.append("loaded")
            return (factor,)

    class Processor:
        RETURN_TYPES = ("ODD_INPUTS",)
        FUNCTION = "process"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {"required": {"model": ("ODD_SCORER",), "images": ("IMAGE",), "text": ("STRING", {})}}

        def process(self, model: float, images: Tensor, text: str) -> tuple[float]:
            assert len(images) == 1
            return (model * float(images.mean()) + len(text),)

    class Selector:
        RETURN_TYPES = ("STRING", "IMAGE")
        FUNCTION = "select"

        def __init__(self) -> None:
            ScoreParts.made.append("selector")

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            required = {"model": ("ODD_SCORER",), "inputs": ("ODD_INPUTS",)}
            return {"required": required, "optional": {"images": ("IMAGE",)}}

        def select(self, model: float, inputs: float, images: Tensor | None = None) -> tuple[str, Tensor]:
            assert images is not None
            return f"{inputs:.3f}", images


def test_a_score_that_takes_several_nodes_is_asked_of_them_in_a_row():
    """The loader is run once, and a node's object is made once, for some load their model with it."""
    make, ids = part("nodes.search.work").reward_of_node, ("Loader", "Processor", "Selector")
    images = torch.stack([torch.full((4, 4, 3), value) for value in (0.2, 0.5, 0.6)])
    HOST.NODE_CLASS_MAPPINGS.update({f"Odd{name}": getattr(ScoreParts, name) for name in ids})
    try:
        given = make([], "OddLoader > OddProcessor > OddSelector", "factor = 10\ntext = abc", "")
        assert [round(score, 3) for score in scores(given, images)] == [5.0, 8.0, 9.0]
        assert sorted(ScoreParts.made) == ["loaded", "selector"]
        linked = make([1.0], "OddProcessor>OddSelector", "text = abc", "model", output="STRING")
        assert [round(score, 3) for score in scores(linked, images)] == [3.2, 3.5, 3.6]
        said = raises(ValueError, lambda: make([1.0], "OddSelector", "", "model"))
        assert said.startswith("node: OddSelector also needs inputs"), said
        assert "OddLoader has no input of type IMAGE" in raises(ValueError, lambda: make([], "OddLoader", "", ""))
    finally:
        for name in ids:
            del HOST.NODE_CLASS_MAPPINGS[f"Odd{name}"]


class OneClip:
    """A text encoder of the host with CLIP-L alone, whose embedding is the text's length along the first axis."""

    class Part:
        def encode_token_weights(self, tokens: Any) -> tuple[None, Tensor]:
            return None, torch.nn.functional.one_hot(torch.tensor([tokens]), 768).float()

    def __init__(self) -> None:
        self.cond_stage_model = type("Model", (), {"clip_l": self.Part()})()

    def tokenize(self, text: str) -> dict[str, int]:
        return {"l": len(text)}

    def encode_from_tokens(self, tokens: Any) -> None:
        assert tokens


class OneVision:
    """A CLIP Vision whose embedding points along the axis of the image's first pixel, in hundredths."""

    def __init__(self, width: int = 768) -> None:
        self.width = width

    def encode_image(self, images: Tensor) -> dict[str, Tensor]:
        axes = (100.0 * images[:, 0, 0, 0]).round().long()
        return {"image_embeds": torch.nn.functional.one_hot(axes, self.width).float()}


def test_the_clip_reward_is_the_cosine_with_the_encoder_that_fits():
    make = part("nodes.host.rewards").clip_reward
    images = torch.stack([torch.full((2, 2, 3), value) for value in (0.05, 0.07)])
    assert scores(make(OneClip(), OneVision(), "seventh"), images) == [0.0, 100.0]
    said = raises(ValueError, lambda: scores(make(OneClip(), OneVision(1280), "seventh"), images))
    assert "the text's embedding has 768 numbers and the image's 1280" in said, said
    assert raises(ValueError, lambda: make(OneClip(), OneVision(), " ")).startswith("text: it is empty")
