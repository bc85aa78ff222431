"""The preset under the name of a Fit node: returned where it fits the inputs, refused where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...schedules.core.words import Phrase
from ...schedules.fitting.report import FREQUENCY_WEIGHT
from ...schedules.hosting.library_card import count_sentence
from ...schedules.presets.file import load_preset
from ...schedules.presets.preset import Preset
from ..edits import same_guidance
from ..host.subject import Subject
from ..text import in_words
from .request import FitRequest


@dataclass(frozen=True)
class Existing:
    """The preset under the name of a Fit node, which fits its inputs.

    Attributes:
        edits: a sentence for every edit since its fit that it is used in spite of.
    """

    request: FitRequest
    preset: Preset
    edits: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: FitRequest, path: Path, subject: Subject, steps: Sequence[int]) -> Existing | None:
        """The preset at a path; None where there is none, or a new one is asked for.

        Raises:
            ValueError: it cannot be read, or cannot serve the inputs; says why and what to do.
        """
        if request.refit or not path.is_file():
            return None
        try:
            existing = cls(request, load_preset(path))
        except ValueError as error:
            raise ValueError(
                f"name: the file {request.name} cannot be used: {error}. Turn on refit to replace it"
            ) from None
        edits = existing.edited(subject, steps)
        if differences := existing.differences(subject):
            raise ValueError(
                f"name: the preset {request.name} exists and was fitted to something else. "
                f"{' '.join([*differences, *edits])} Turn on refit to replace it, or give another name to keep both."
            )
        return replace(existing, edits=tuple(edits))

    def differences(self, subject: Subject) -> list[str]:
        """Sentences on what makes it a preset for something else: model, sampler, denoise."""
        request, preset = self.request, self.preset
        sampler = preset.sampler if preset.sampler in request.samplers else request.sampler_name
        differences = preset.differences(replace(subject.identity, patches=None, loras=()), sampler)
        fitted, running = preset.made, subject.made
        if not fitted.same_models(running):
            differences.append(
                f"It is for two models ({fitted.models_in_words}), and model_low is not connected."
                if running.boundary is None
                else f"It is for {fitted.models_in_words}, not for a second one as connected "
                f"({running.models_in_words})."
            )
        if preset.denoise != request.denoise:
            differences.append(f"It is for denoise {preset.denoise:g}, not {request.denoise:g}.")
        return differences

    def edited(self, subject: Subject, steps: Sequence[int]) -> list[str]:
        """Sentences on ordinary edits since the fit: steps, guidance, size, patches and what else is on the model."""
        request, preset = self.request, self.preset
        missing = [count for count in steps if not preset.is_fitted(count, request.denoise)]
        said = []
        if missing and preset.denoise == request.denoise:
            counts = {"held": preset.counts_in_words, "missing": in_words(list(map(str, missing)))}
            said.append(Phrase("It holds {held}, not {missing}.", **counts))
        counted = preset.made.more.get(FREQUENCY_WEIGHT, 1.0)
        if counted != request.frequency_weight:
            numbers = {"fitted": f"{counted:g}", "asked": f"{request.frequency_weight:g}"}
            said.append(Phrase("It was fitted with frequency_weight {fitted}, not {asked}.", **numbers))
        guidance = None if same_guidance(preset.guidance, subject.guidance) else subject.guidance
        said += preset.differences(None, None, guidance, subject.latent_shape)
        return [*said, *preset.model.other_patches(subject.identity), *preset.made_otherwise(subject.made)]

    def in_words(self, full: Mapping[int, int], switches: Sequence[str] = ()) -> str:
        """The report.

        Args:
            full: step count -> steps of the preset's list that it is the end of.
            switches: where the second of two models takes over.
        """
        preset = self.preset
        asked, known, choice = self.request.samplers, preset.made.chosen_among, []
        if len(asked) > 1 and set(asked) != set(known):  # to be compared now are others than it was chosen among
            how = f"was chosen among {in_words(known)}" if known else ""
            how = how or f"is for {preset.sampler}, which it does not say to have been chosen"
            choice.append(f"choose_sampler: this preset {how}. Turn on refit to choose among {in_words(asked)}.")
        lines = [
            f"The preset {self.request.name} exists and fits this model: no model call was made. "
            "Turn on refit to fit anew.",
            *self.edits,
            *(count_sentence(preset, length, count) + "." for count, length in full.items()),
            *choice,
            *switches,
        ]
        return "\n".join(lines) + (f" Fitted at effort {preset.effort}." if preset.effort else "")
