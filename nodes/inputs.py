"""Inputs that several nodes have, each with its own tooltip."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..schedules.presets.preset import Preset
from .host.samplers import sampler_names
from .schema import choice, number, whole
from .text import USES


def conditioned_model(model: str, positive: str, negative: str) -> list[io.Input]:
    """Model and prompts, as a KSampler takes them; the tooltips are given."""
    return [
        io.Model.Input("model", tooltip=model),
        io.Conditioning.Input("positive", tooltip=positive),
        io.Conditioning.Input("negative", tooltip=negative),
    ]


def cfg_input(tooltip: str) -> io.Input:
    """The guidance."""
    return number("cfg", 8.0, (0.0, 100.0, 0.1), tooltip, round=0.01)


def use_input() -> io.Input:
    """The switch with which a node's pictures are compared with those without it."""
    return choice(
        "use",
        list(USES),
        "To compare with and without: as set in the sampler gives the picture that you would get without this node.",
        default=USES[0],
        optional=True,
    )


def sampler_name_input(tooltip: str, default: str = "dpmpp_2m") -> io.Input:
    """One of the host's samplers."""
    names = sampler_names()
    return choice("sampler_name", names, tooltip, default=default if default in names else None)


def noise_seed_input(name: str, tooltip: str, default: int = 0) -> io.Input:
    """Seed of start noises that are not an image's: it stays when a graph is queued again."""
    return whole(name, default, (0, 2**32 - 1), tooltip, control_after_generate=False)


def check_preset(preset: Any) -> Preset:
    """The preset of a required `preset` input: a graph that is sent by a program may leave it null.

    Raises:
        ValueError: names the input.
    """
    if not isinstance(preset, Preset):
        raise ValueError(f"preset: must be one of Fit Schedule or Load Preset, got a {type(preset).__name__}")
    return preset
