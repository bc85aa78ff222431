"""Stand-ins for packs that score images, each with the input and output types of one of them.

They look at the first row of pixels, so that a test knows what they must say. None of the packs' code is here.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def red(images: Tensor) -> float:
    """Mean of the red channel of the only image."""
    if len(images) != 1:
        raise ValueError(f"{len(images)} images; this pack takes one")
    return float(images[..., 0].mean())


class Loader:
    """A model of its own type, as ImageReward's loader gives one."""

    RETURN_TYPES = ("STANDIN_IMAGEREWARD",)
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"factor": ("FLOAT", {"default": 10.0})}}

    def load(self, factor: float) -> tuple[float]:
        return (factor,)


class ImageReward:
    """A model and a prompt, FLOAT and STRING."""

    RETURN_TYPES = ("FLOAT", "STRING")
    RETURN_NAMES = ("SCORE_FLOAT", "SCORE_STRING")
    FUNCTION = "process"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        prompt = ("STRING", {"multiline": True, "forceInput": True})
        return {"required": {"model": ("STANDIN_IMAGEREWARD",), "prompt": prompt, "images": ("IMAGE",)}}

    def process(self, model: float, prompt: str, images: Tensor) -> tuple[float, str]:
        return model * red(images), str(model * red(images))


class HPSv2:
    """FLOAT of a tensor, and STRING."""

    RETURN_TYPES = ("STRING", "FLOAT")
    FUNCTION = "score"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "prompt": ("STRING", {"default": ""})}}

    def score(self, image: Tensor, prompt: str) -> tuple[str, Any]:
        return f"{red(image):.6f}", image[..., 0].mean()


class PickScore:
    """One STRING with a list in it."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "score"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",), "prompt": ("STRING", {"default": ""})}}

    def score(self, images: Tensor, prompt: str) -> tuple[str]:
        return (f"[{red(images):.6f}]",)


class Aesthetic:
    """A type of its own, SCORE; it fails on a dark image."""

    RETURN_TYPES = ("IMAGE", "SCORE")
    FUNCTION = "score"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "least": ("FLOAT", {"default": 0.0})}}

    def score(self, image: Tensor, least: float) -> tuple[Tensor, float]:
        if red(image) < least:
            raise RuntimeError("too dark")
        return image, red(image)


class OddReward:
    """A reward of another pack's making, which scores the red of images until it gives something else."""

    name = "odd"

    def __init__(self, gives: str, after: int) -> None:
        self.gives = gives
        self.left = after

    def measure(self, images: Tensor) -> Any:
        self.left -= len(images)
        scores = images[..., 0].mean(dim=(1, 2)).cpu()[:, None]
        if self.left >= 0:
            return scores
        if self.gives == "failure":
            raise RuntimeError("out of sorts")
        return {"NaN": scores * float("nan"), "text": "good", "one number": scores.mean()}[self.gives]

    def total(self, measured: Tensor) -> Tensor:
        return measured[:, 0]


class Reward:
    """An `OddReward` as a link of our type; `after` images it fails."""

    RETURN_TYPES = ("SIGMASMITH_REWARD",)
    FUNCTION = "make"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        gives = (["NaN", "text", "one number", "failure"],)
        return {"required": {"gives": gives, "after": ("INT", {"default": 0})}}

    def make(self, gives: str, after: int) -> tuple[OddReward]:
        return (OddReward(gives, after),)


NODES = (Loader, ImageReward, HPSv2, PickScore, Aesthetic, Reward)
NODE_CLASS_MAPPINGS = {f"StandIn{kind.__name__}": kind for kind in NODES}
