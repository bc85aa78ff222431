"""Sentences on the schedules of a comparison that a person should know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...schedules.presets.preset import Preset
from ..host.changes import running_facts
from ..host.guiders import guidance_of
from ..host.identity import identity_under
from ..host.noise_levels import model_sampling_of
from ..registration import COSINE, PRESET_ATTRIBUTE, SCHEDULER_NAMES

# A printed 14.61 and the table's 14.614641 are one start.
_SAME_START = 0.999


def low_starts(starts: Mapping[str, float], sigma_max: float) -> Iterator[str]:
    """Schedules that begin below the model's range.

    Args:
        starts: schedule -> its first sigma.
    """
    for name, start in starts.items():
        if start < _SAME_START * sigma_max:
            yield (
                f"{name} starts at sigma {start:.4g}, below the model's {sigma_max:.4g}: its distance from the target "
                "comes from that too."
            )


def fallbacks(model: Any, schedules: Iterable[str]) -> Iterator[str]:
    """Our names that ran without a preset."""
    if getattr(model_sampling_of(model), PRESET_ATTRIBUTE, None) is not None:
        return
    used = set(schedules)
    for name in SCHEDULER_NAMES:
        if name in used and name != COSINE:
            yield (
                f"{name} ran untuned, for no preset is on the model: put Sigmasmith Apply Schedule in front for a "
                "fitted list."
            )


def preset_differences(preset: Preset, label: str, guider: Any, latent_shape: tuple[int, ...]) -> list[str]:
    """One sentence for each thing that is not as it was when the connected preset was fitted."""
    identity = identity_under(guider)
    differences = preset.differences(
        identity, guidance=guidance_of(guider), latent_shape=latent_shape, start_sigma=identity.sigma_max
    )
    return [f"{label}: {sentence}" for sentence in differences + preset.made_otherwise(running_facts(guider))]
