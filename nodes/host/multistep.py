"""The fitted multistep sampler in the host: which preset it runs, and what it says when it cannot."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy.k_diffusion.sampling import sample_dpmpp_2m
from torch import Tensor

from ...schedules.hosting.multistep import multistep_of
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .guiders import guidance_of
from .noise_levels import model_sampling_of, sigma_range_of
from .samplers import own_sampler


def multistep_sampler(preset: Preset | None, node_id: Any) -> Any:
    """A SAMPLER that runs the coefficients of a preset, or of the family where its list runs."""
    return own_sampler(NAME, partial(_sample, preset, node_id))


def sample_by_model(model: Any, x: Tensor, sigmas: Tensor, *given: Any, **options: Any) -> Tensor:
    """The dropdown's form: the preset that Apply Schedule put on the model."""
    preset = getattr(model_sampling_of(model.inner_model.model_patcher), PRESET_ATTRIBUTE, None)
    return _sample(preset, None, model, x, sigmas, *given, **options)


def _sample(
    preset: Preset | None, node_id: Any, model: Any, x: Tensor, sigmas: Tensor, *given: Any, **options: Any
) -> Tensor:
    guider = model.inner_model
    sampler = multistep_of(preset, sigma_range_of(guider.model_patcher), guidance_of(guider))
    warn = partial(messages.say, node_id=node_id, warning=True)
    return sampler(model, x, sigmas, *given, warn=warn, fallback=sample_dpmpp_2m, **options)
