"""How the host will cut the list of a scheduler, for a pass that starts and for values of its page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from modules import processing, sd_samplers_common, shared

from ..answers import Slicing


def slicing_of(p: Any, sampler: Any, *, image_start: bool) -> Slicing:
    """How the host will cut the list in the pass that is about to start.

    Args:
        p: the host's processing object.
        sampler: the host's sampler object.
        image_start: whether the pass starts from an image (img2img, hires).
    """
    drops = drops_penultimate(getattr(sampler, "config", None))
    if not image_start:
        return Slicing(p.steps, p.steps, drops=drops)
    given = (p.hr_second_pass_steps or p.steps) if getattr(p, "is_hr_pass", False) else None
    total, last = sd_samplers_common.setup_img2img_steps(p, given)
    return Slicing(total, last + 1, float(p.denoising_strength), drops)


def slicing_for(steps: int, strength: float | None, *, drops: bool = False) -> Slicing:
    """How the host will cut the list for values of its page; a strength is img2img's."""
    if strength is None:
        return Slicing(steps, steps, drops=drops)
    total, last = sd_samplers_common.setup_img2img_steps(SimpleNamespace(steps=steps, denoising_strength=strength))
    return Slicing(total, last + 1, strength, drops)


def is_whole(strength: float | None) -> bool:
    """Whether a run at this denoising strength starts from noise alone: hosts run up to .999 of the steps."""
    return strength is None or strength > 0.999


def drops_penultimate(config: Any) -> bool:
    """Whether the host asks for one step more and drops sigmas[-2] for this sampler."""
    own = config is not None and config.options.get("discard_next_to_last_sigma", False)
    return bool(own or getattr(shared.opts, "always_discard_next_to_last_sigma", False))


def starts_from_image(p: Any) -> bool:
    """Whether a generation is img2img."""
    return isinstance(p, processing.StableDiffusionProcessingImg2Img)
