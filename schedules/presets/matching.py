"""Which of many presets suits a model, for hosts whose dropdown knows no preset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from .identity import ModelIdentity, same_digest
from .preset import Preset

# How sure a match is, best first, and how it is said.
SAME_FILE, SAME_NAME, SAME_FAMILY, SAME_RANGE = range(4)
_REASONS = (
    "fitted to this checkpoint",
    "fitted to a checkpoint of this name",
    "fitted to another model of this family",
    "fitted to a model with these noise levels",
)

# Two denoises that differ by no more are one.
_SAME_DENOISE = 0.01


@dataclass(frozen=True)
class Match:
    """A preset that suits the model.

    Attributes:
        name: its key in the mapping it was found in.
        grade: SAME_FILE (the checkpoint's hash), SAME_NAME, SAME_FAMILY or SAME_RANGE.
    """

    name: str
    preset: Preset
    grade: int

    @property
    def reason(self) -> str:
        """How it was found, in words that follow the preset's name."""
        return _REASONS[self.grade]


def best_match(
    presets: Mapping[str, Preset],
    model: ModelIdentity,
    *,
    sampler: str | None = None,
    guidance: float | None = None,
    latent_shape: tuple[int, ...] | None = None,
    steps: int | None = None,
    denoise: float = 1.0,
) -> Match | None:
    """The preset that suits a run best, or None where none can.

    A preset is left out where its sigmas would be wrong: another kind of model, prediction type, noise range or shift,
    another family, an exact list that lacks the step count, or one for changed images of a lower denoise. Of the others
    the checkpoint's hash decides, then its file name, the family, the weight patches, the sampler, the denoise, the
    step count, guidance and size, and the name, so that the answer never depends on the order of the files.

    Args:
        model, sampler, guidance, latent_shape (without batch), steps: of the run; None where not known.
        denoise: of the run; the steps are those of the whole schedule.
    """
    # Thousands of presets are for few kinds of model, and of all the grades only the best that has one is looked into.
    suits = cache(lambda noise: not noise.differences(model))
    graded: list[list[str]] = [[] for _ in _REASONS]
    for name, preset in presets.items():
        graded[grade_of(preset.model, model)].append(name)
    for grade, names in enumerate(graded):
        ranked = [
            (_rank(presets[name], model, sampler, guidance, latent_shape, steps, denoise), name)
            for name in names
            if _usable(presets[name], suits, steps, denoise)
        ]
        if ranked:
            name = min(ranked)[1]
            return Match(name, presets[name], grade)
    return None


def _usable(preset: Preset, suits: Callable[[ModelIdentity], bool], steps: int | None, denoise: float) -> bool:
    if not suits(preset.model.noise_only) or denoise > preset.denoise + _SAME_DENOISE:
        return False
    return not (preset.exact and steps is not None and steps not in preset.schedules)


def _rank(
    preset: Preset,
    model: ModelIdentity,
    sampler: str | None,
    guidance: float | None,
    latent_shape: tuple[int, ...] | None,
    steps: int | None,
    denoise: float,
) -> tuple[float, ...]:
    """Smaller is better, within one grade."""
    other_patches = len(preset.model.other_patches(model))
    other_sampler = 1 if not (preset.sampler and sampler) else 0 if preset.sampler == sampler else 2
    other_denoise = abs(preset.denoise - denoise) > _SAME_DENOISE
    other_guidance = abs(preset.guidance - guidance) if preset.guidance is not None and guidance is not None else 0.0
    other_size = bool(preset.latent_shape and latent_shape and preset.latent_shape != latent_shape)
    not_fitted = steps is not None and steps not in preset.schedules
    return (
        other_patches,
        other_sampler,
        other_denoise,
        not_fitted,
        other_guidance,
        other_size,
    )


def grade_of(fitted: ModelIdentity, running: ModelIdentity) -> int:
    """How sure it is that a preset's model is the running one, if their noise levels agree: a grade of `Match`."""
    same_file = same_digest(fitted.checkpoint_hash, running.checkpoint_hash)
    if same_file:
        return SAME_FILE
    if same_file is None and fitted.checkpoint and fitted.checkpoint == running.checkpoint:
        return SAME_NAME
    return SAME_FAMILY if fitted.family and running.family else SAME_RANGE
