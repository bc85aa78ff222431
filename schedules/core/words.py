"""Texts that pages and the command line share: step counts, numbers, durations, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class Phrase(str):
    """A text in English that a page can say in its language: its template and the values that fill it are kept.

    The page's word list (web/words.mjs) goes by the template.
    """

    template: str
    given: dict[str, Any]

    def __new__(cls, template: str, **given: Any) -> Phrase:
        made = super().__new__(cls, template.format(**given))
        made.template, made.given = template, given
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        # A copy is made of the template: the text itself may hold braces.
        return (self.template,), self.given


def parse_steps(text: Any) -> tuple[int, ...]:
    """Step counts in the order typed: "10", "5, 8, 10", "5 8 10" or a plain number.

    Raises:
        ValueError: names the input `steps`.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    parts = [part for part in re.split(r"[,;\s]+", str(text).strip()) if part]
    counts: list[int] = []
    for part in parts:
        # A thousand steps take hours to fit, and no sampler needs them.
        if not re.fullmatch(r"[0-9]{1,4}", part) or not 1 <= int(part) <= 1000:
            raise ValueError(
                f"steps: {part!r} is no step count; type whole numbers from 1 to 1000, such as 10 or 5, 8, 10"
            )
        if int(part) not in counts:
            counts.append(int(part))
    if not counts:
        raise ValueError("steps is empty; type one or more step counts, such as 10 or 5, 8, 10")
    if len(counts) > 16:
        raise ValueError(f"steps names {len(counts)} step counts; at most 16 are fitted at once")
    return tuple(counts)


def in_words(names: Sequence[str]) -> str:
    """a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return Phrase("{names} and {last}", names=", ".join(names[:-1]), last=names[-1])


def counts_in_words(counts: Sequence[int]) -> Phrase:
    """Step counts: 1 step, or 5, 8 steps."""
    said = ", ".join(map(str, counts))
    return Phrase("{counts} step", counts=said) if list(counts) == [1] else Phrase("{counts} steps", counts=said)


def plain_list(sigmas: Iterable[float]) -> str:
    """A comma list for the host's ManualSigmas: plain decimals without exponents, every float32 exactly."""
    return ", ".join(np.format_float_positional(np.float32(sigma), trim="0", unique=True) for sigma in sigmas)


# Pixels per latent value of each side, by the channels of a latent: the autoencoders of SD, SDXL, SD3, Flux, Qwen and
# Wan 2.1 (4, 16), of Wan 2.2's small model (48); models of pixels have their own colours.
_PIXELS = {1: 1, 3: 1, 4: 8, 16: 8, 48: 16}
# Stable Cascade's 16 channels are another autoencoder's.
_OTHER_LATENTS = ("StableCascade",)
_FRAMES = 4  # per latent of a clip, after its first


def picture_size(shape: Sequence[int], family: str = "") -> Phrase:
    """A picture's or clip's size in pixels, from the shape of its latent without the batch, such as "512x768 pixels".

    Args:
        shape: (channels, height, width), or (channels, frames, height, width).
        family: of the model, where known. Latents whose pixels nobody knows are named as what they are.
    """
    times = None if family.startswith(_OTHER_LATENTS) or len(shape) not in (3, 4) else _PIXELS.get(shape[0])
    if times is None:
        return Phrase("a latent of {shape}", shape="x".join(map(str, shape)))
    height, width = (times * length for length in shape[-2:])
    if len(shape) == 3:
        return Phrase("{width}x{height} pixels", width=width, height=height)
    frames = _FRAMES * (shape[1] - 1) + 1
    return Phrase("{width}x{height} pixels, {frames} frames", width=width, height=height, frames=frames)


def duration(seconds: float) -> Phrase:
    """A duration as one says it: 40 seconds, 3 minutes, 2.5 hours."""
    if seconds < 90.0:
        whole = max(1, round(seconds))
        return Phrase("{count} second", count=whole) if whole == 1 else Phrase("{count} seconds", count=whole)
    if seconds < 5400.0:
        return Phrase("{count} minutes", count=round(seconds / 60.0))
    return Phrase("{count} hours", count=f"{seconds / 3600.0:.1f}")


def in_bytes(count: float) -> str:
    """A number of bytes as one says it: 40 MB, 1.3 GB."""
    if count < 1e9:
        return f"{max(1, round(count / 1e6))} MB"
    return f"{count / 1e9:.1f} GB"
