"""The preset under the name of a Fit node: returned where it fits the inputs, refused where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...schedules.presets.file import load_preset
from ...schedules.presets.preset import Preset
from ..host import folders
from ..host.subject import Subject
from ..text import in_words, plot_sentence
from .request import FitRequest


def existing_preset(request: FitRequest, subject: Subject, steps: Sequence[int]) -> tuple[Path, Preset | None]:
    """The file under the name, and its preset; None where there is none, or a new one is asked for.

    Raises:
        ValueError: the name cannot be used, or its preset does not fit the inputs; says why and what to do.
    """
    path = folders.checked_path(request.name)
    if request.refit or not path.is_file():
        return path, None
    try:
        preset = load_preset(path)
    except ValueError as error:
        raise ValueError(
            f"name: the file {request.name} cannot be used: {error}. Turn on refit to replace it"
        ) from None
    sampler = preset.sampler if preset.sampler in request.samplers else request.sampler_name
    differences = preset.differences(subject.identity, sampler, subject.guidance, subject.latent_shape)
    fitted, running = preset.made, subject.made
    differences += preset.made_otherwise(running)
    if not fitted.same_models(running):
        differences.append(
            f"It is for two models ({fitted.models_in_words}), and model_low is not connected."
            if running.boundary is None
            else f"It is for {fitted.models_in_words}, not for a second one as connected ({running.models_in_words})."
        )
    missing = [str(count) for count in steps if not preset.is_fitted(count, request.denoise)]
    if preset.denoise != request.denoise:
        differences.append(f"It is for denoise {preset.denoise:g}, not {request.denoise:g}.")
    elif missing:
        differences.append(f"It holds {preset.counts_in_words}, not {', '.join(missing)}.")
    if differences:
        raise ValueError(
            f"name: the preset {request.name} exists and was fitted to something else. {' '.join(differences)} "
            "Turn on refit to replace it, or give another name to keep both."
        )
    return path, preset


def existing_in_words(
    request: FitRequest, preset: Preset, full: Mapping[int, int], switches: Sequence[str] = ()
) -> str:
    """The report where the preset exists.

    Args:
        full: step count -> steps of the preset's list that it is the end of.
        switches: where the second of two models takes over.
    """
    lines = [
        f"The preset {request.name} exists and fits this model: no model call was made. Turn on refit to fit anew.",
        *(
            plot_sentence(count, preset.origin.get(length, "fitted"), preset.errors.get(length, {})) + "."
            for count, length in full.items()
        ),
        *_other_choice(preset, request.samplers),
        *switches,
    ]
    return "\n".join(lines) + (f" Fitted at effort {preset.effort}." if preset.effort else "")


def _other_choice(preset: Preset, samplers: list[str]) -> list[str]:
    """A sentence where other samplers are to be compared than those that the preset was chosen among."""
    known = preset.made.chosen_among
    if len(samplers) < 2 or set(samplers) == set(known):
        return []
    how = f"was chosen among {in_words(known)}" if known else ""
    how = how or f"is for {preset.sampler}, which it does not say to have been chosen"
    return [f"choose_sampler: this preset {how}. Turn on refit to choose among {in_words(samplers)}."]
