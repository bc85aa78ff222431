"""Rewards: scores of images that a search raises. What a host or another pack scores with is one more class of these.

A search compares sets of images, so a reward is asked twice: `measure` looks at images, once and for all, and `total`
makes one score of what was measured, for a whole set at a time. So parts of a sum can be brought to a common scale by
the very images that are compared, and nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class RewardError(ValueError):
    """A reward that gave no score for an image."""


class Reward(Protocol):
    """Scores of images; more is better.

    Attributes:
        name: for reports and errors.
    """

    @property
    def name(self) -> str: ...

    def measure(self, images: Tensor) -> Tensor:
        """(N, K) float32 CPU, K measures of images (N, H, W, 3) in 0..1; may raise anything."""
        ...

    def total(self, measured: Tensor) -> Tensor:
        """(N,) one score each for N images that are compared, from their measures (N, K)."""
        ...


@dataclass(frozen=True)
class ScoreReward:
    """A reward with one number per image.

    Args:
        score: images (N, H, W, 3) in 0..1 -> N numbers.
    """

    name: str
    score: Callable[[Tensor], Any]

    def measure(self, images: Tensor) -> Tensor:
        return as_scores(self.score(images), len(images), self.name)[:, None]

    def total(self, measured: Tensor) -> Tensor:
        return measured[:, 0]


@dataclass(frozen=True)
class CombinedReward:
    """A weighted sum of rewards, each brought to mean 0 and spread 1 over the images that are compared.

    Args:
        parts: (weight, reward); a negative weight asks for less of it.
    Raises:
        ValueError: no part, or every weight 0.
    """

    parts: tuple[tuple[float, Reward], ...]

    def __post_init__(self) -> None:
        if not any(weight for weight, _ in self.parts):
            raise ValueError("weight: at least one reward must have a weight other than 0")

    @property
    def name(self) -> str:
        return " + ".join(f"{weight:g} {reward.name}" for weight, reward in self.parts)

    def measure(self, images: Tensor) -> Tensor:
        return torch.cat([reward.measure(images) for _, reward in self.parts], dim=1)

    def total(self, measured: Tensor) -> Tensor:
        totals, first = torch.zeros(len(measured)), 0
        for weight, reward in self.parts:
            width = _width(reward)
            scores = reward.total(measured[:, first : first + width])
            spread = float(scores.std()) if len(scores) > 1 else 0.0
            totals += weight * (scores - scores.mean()) / (spread if spread > 0.0 else 1.0)
            first += width
        return totals


def _width(reward: Reward) -> int:
    """Measures per image of a reward."""
    return sum(_width(part) for _, part in reward.parts) if isinstance(reward, CombinedReward) else 1


def as_scores(given: Any, images: int, name: str) -> Tensor:
    """(images,) float32 CPU from what a reward gave: a tensor, an array or numbers, one for each image.

    Raises:
        RewardError: text, another count, NaN or infinity; it names the reward and the first image.
    """
    try:
        scores = torch.as_tensor(given, dtype=torch.float32).detach().cpu().flatten()
    except (TypeError, ValueError, RuntimeError):
        raise RewardError(f"reward {name}: it gave {str(given)[:60]!r} and no number") from None
    if len(scores) != images:
        raise RewardError(f"reward {name}: it gave {len(scores)} scores for {images} images; one for each is needed")
    finite = torch.isfinite(scores)
    if not bool(finite.all()):
        raise RewardError(f"reward {name}: it gave NaN or infinity for image {int((~finite).nonzero()[0]) + 1}")
    return scores


def measured(reward: Reward, images: Tensor) -> Tensor:
    """(N, K) what a reward measures on images (N, H, W, 3).

    Raises:
        RewardError: names the reward; whatever it raised is the cause.
    """
    try:
        values = reward.measure(images)
    except RewardError:
        raise
    except Exception as error:  # another pack's code may raise anything
        raise RewardError(f"reward {reward.name}: it failed: {type(error).__name__}: {error}") from error
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != len(images):
        raise RewardError(f"reward {reward.name}: it gave no row of numbers for each of {len(images)} images")
    if not bool(torch.isfinite(values).all()):
        raise RewardError(f"reward {reward.name}: it gave NaN or infinity")
    return values.detach().float().cpu()


def _luminance(images: Tensor) -> Tensor:
    return images @ images.new_tensor([0.2126, 0.7152, 0.0722])


def _weighted(values: Tensor, mask: Tensor | None) -> Tensor:
    """(N,) mean of (N, H, W) under a mask (1 or N, H', W')."""
    if mask is None:
        return values.flatten(1).mean(dim=1)
    weight = functional.interpolate(mask[:, None].to(values), size=values.shape[-2:], mode="area")[:, 0]
    weight = weight.expand_as(values) if len(weight) == 1 else weight[: len(values)]
    return (values * weight).flatten(1).sum(dim=1) / weight.flatten(1).sum(dim=1).clamp_min(1e-9)


def _sharpness(images: Tensor) -> Tensor:
    """(N, H, W) square of the discrete Laplacian of the luminance; edges repeat."""
    grey = functional.pad(_luminance(images)[:, None], (1, 1, 1, 1), mode="replicate")
    kernel = grey.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    return functional.conv2d(grey, kernel)[:, 0].square()


def _channel(index: int) -> Callable[[Tensor], Tensor]:
    """(N, H, W) one colour over the mean of the other two."""
    others = [channel for channel in range(3) if channel != index]
    return lambda images: images[..., index] - images[..., others].mean(dim=-1)


# What a picture can be scored by without a model: (N, H, W, 3) -> (N, H, W), averaged under the mask.
IMAGE_MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": _luminance,
    "colourfulness": lambda images: images.amax(dim=-1) - images.amin(dim=-1),
    "red": _channel(0),
    "green": _channel(1),
    "blue": _channel(2),
    "sharpness": _sharpness,
}


def image_reward(measure: str, *, less: bool = False, mask: Tensor | None = None) -> ScoreReward:
    """A reward that needs no model.

    Args:
        measure: of IMAGE_MEASURES.
        less: whether less of it is better.
        mask: (1 or N, H, W) of 0..1, any size: where it counts. None: everywhere alike.
    Raises:
        ValueError: names the input.
    """
    if measure not in IMAGE_MEASURES:
        raise ValueError(f"measure must be one of {', '.join(IMAGE_MEASURES)}, got {measure!r}")
    if mask is not None and not bool((mask > 0.0).any()):
        raise ValueError("mask: it is black everywhere; paint white where the picture is to be scored")
    values, sign = IMAGE_MEASURES[measure], -1.0 if less else 1.0
    name = f"{'less ' if less else ''}{measure}{' in the mask' if mask is not None else ''}"
    return ScoreReward(name, lambda images: sign * _weighted(values(images.float()), mask))


def combined(weights: Sequence[float], rewards: Sequence[Reward]) -> CombinedReward:
    """The weighted sum of rewards."""
    return CombinedReward(tuple(zip(weights, rewards)))
