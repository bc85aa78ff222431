"""The preset that a Fit node finds under its name: returned where it fits the inputs, refused where it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ...schedules.presets.file import load_preset
from ...schedules.presets.made import HowMade
from ...schedules.presets.preset import Preset
from ..host.subject import Subject
from ..presets.store import checked_path
from ..text import in_words, plot_sentence
from .request import FitRequest

# Hashes of the preset files written by this process, so that a fit's own file does not count as a changed one.
_written: dict[str, str] = {}


def preset_fingerprint(name: str, refit: bool) -> str:
    """What the host's cache compares: changes when somebody else changes or deletes the preset, not by our own fit."""
    if refit:
        return "refit"
    try:
        path = checked_path(name)
    except ValueError:
        return "bad name"
    try:
        now = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        now = None
    # No file and none written before: the fit that is still to come is our own.
    return "own" if now == _written.get(str(path)) else now or "deleted"


def note_own(path: Path) -> None:
    """Remember that a fit of ours has just written this file."""
    _written[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()


def existing_preset(request: FitRequest, path: Path, subject: Subject, steps: tuple[int, ...]) -> Preset:
    """The preset under the name.

    Raises:
        ValueError: it does not fit the inputs; says why and what to do.
    """
    try:
        preset = load_preset(path)
    except ValueError as error:
        raise ValueError(
            f"name: the file {request.name} cannot be used: {error}. Turn on refit to replace it"
        ) from None
    sampler = preset.sampler if preset.sampler in request.samplers else request.sampler_name
    differences = preset.differences(subject.identity, sampler, subject.guidance, subject.latent_shape)
    differences += _other_models(preset.made, subject.made)
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
    return preset


def existing_in_words(request: FitRequest, preset: Preset, subject: Subject, full: Mapping[int, int]) -> str:
    """The report where the preset exists.

    Args:
        full: step count -> steps of the preset's list that it is the end of.
    """
    lines = [
        f"The preset {request.name} exists and fits this model: no model call was made. Turn on refit to fit anew.",
        *(
            plot_sentence(count, preset.origin.get(length, "fitted"), preset.errors.get(length, {})) + "."
            for count, length in full.items()
        ),
        *_other_choice(preset, request.samplers),
        *subject.switches({count: preset.schedules[length] for count, length in full.items()}),
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


def _other_models(fitted: HowMade, running: HowMade) -> list[str]:
    """A sentence where one model is given and the preset is for two, or the other way round, or for two others."""
    if fitted.same_models(running):
        return []
    if running.boundary is None:
        return [f"It is for two models ({fitted.models_in_words}), and model_low is not connected."]
    return [f"It is for {fitted.models_in_words}, not for a second one as connected ({running.models_in_words})."]
