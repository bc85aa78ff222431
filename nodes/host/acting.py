"""Auto's side in the host: a look at every run behind a model before it begins, and other sigmas or sampler for it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.patcher_extension
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.hosting import LOGGER_NAME
from ...schedules.presets.preset import Preset
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .metadata import note_run
from .noise_levels import model_sampling_of
from .watch import AUTO_KEY, latent_shape_of, sampler_name_of

# A printed 14.615 and the table's 14.614641 are one sigma_max.
_SAME_SIGMA = 1e-3


@dataclass(frozen=True)
class SampledRun:
    """A run as a sampler node asks for it.

    Attributes:
        guider: a copy of the run's, as it was before the host prepared it: runs of its own can be made with it.
        noise, latent: (B, ...) as the host adds them.
        sampler: the host's SAMPLER; `sampler_name`: the dropdown's, "" where it has none.
        latent_shape: of one sample; None for packed latents of several kinds.
    """

    guider: Any
    noise: Tensor
    latent: Tensor
    sampler: Any
    sigmas: Tensor
    latent_shape: tuple[int, ...] | None

    @property
    def model(self) -> Any:
        """The model with all that is on it."""
        return self.guider.model_patcher

    @property
    def steps(self) -> int:
        """Solver intervals."""
        return len(self.sigmas) - 1

    @property
    def sampler_name(self) -> str:
        """The sampler's name in the dropdown."""
        return sampler_name_of(self.sampler)

    @property
    def has_settings(self) -> bool:
        """Whether the sampler has settings other than the dropdown's, as custom sampler nodes give them."""
        return bool(getattr(self.sampler, "extra_options", None))

    @property
    def is_whole(self) -> bool:
        """Whether it goes from pure noise to an image: denoise 1, no step left out, noise added."""
        sigma_max = float(model_sampling_of(self.model).sigma_max)
        whole = abs(float(self.sigmas[0]) / sigma_max - 1.0) < _SAME_SIGMA and float(self.sigmas[-1]) == 0.0
        return whole and bool(self.noise.any())

    @property
    def carries_preset(self) -> bool:
        """Whether Apply put a preset on the model."""
        return getattr(model_sampling_of(self.model), PRESET_ATTRIBUTE, None) is not None


@dataclass(frozen=True)
class ChosenRun:
    """The run in its place, and what is said about it.

    Attributes:
        said: one sentence; a warning where `warns`.
        preset: that the sigmas and the sampler are of.
        offer: limit in minutes under which tuning that was put off would run.
    """

    sigmas: Tensor
    sampler: Any
    said: str
    preset: Preset | None = None
    warns: bool = False
    offer: int | None = None


def with_choice(model: Any, choose: Callable[[SampledRun], ChosenRun], node_id: Any) -> Any:
    """A clone of the model whose every run is as `choose` says; an error there leaves the run as it was set."""
    patched, once = model.clone(), messages.OncePerPrompt()

    def act(executor: Any, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kw: Any):  # noqa: ANN202
        run = SampledRun(
            _unprepared(executor.class_obj), noise, latent_image, sampler, sigmas, latent_shape_of(noise, kw)
        )
        chosen = _chosen(choose, run)
        if once.due(chosen.said):
            _say(chosen, node_id)
        note_run(chosen.sigmas, chosen.preset, sampler_name_of(chosen.sampler))
        return executor(noise, latent_image, chosen.sampler, chosen.sigmas.to(sigmas), *args, **kw)

    wrapper = comfy.patcher_extension.WrappersMP.OUTER_SAMPLE
    patched.remove_wrappers_with_key(wrapper, AUTO_KEY)
    patched.add_wrapper_with_key(wrapper, AUTO_KEY, act)
    return patched


def _chosen(choose: Callable[[SampledRun], ChosenRun], run: SampledRun) -> ChosenRun:
    try:
        return choose(run)
    except Exception as error:
        if messages.is_interrupt(error):
            raise
        logging.getLogger(LOGGER_NAME).warning("Sigmasmith Auto failed", exc_info=True)
        said = Phrase("Auto: this run is as set in the sampler, for: {error}", error=str(error))
        return ChosenRun(run.sigmas, run.sampler, said, warns=True)


def _unprepared(guider: Any) -> Any:
    """A copy of a guider as it was before the host merged wrappers and hooks into its options for the run under way."""
    copied = copy.copy(guider)
    copied.model_options = guider.model_patcher.model_options
    return copied


def _say(chosen: ChosenRun, node_id: Any) -> None:
    # What goes as it should needs no notice on the page.
    messages.say(chosen.said, node_id, warning=chosen.warns, quiet=not chosen.warns)
    if chosen.offer is not None:
        messages.show(chosen.said, node_id, offer=chosen.offer)
