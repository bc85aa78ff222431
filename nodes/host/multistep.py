"""The fitted multistep sampler in the host: which preset it runs, and what it says when it cannot."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy.k_diffusion.sampling import sample_dpmpp_2m
from torch import Tensor

from ...schedules.family.run import FamilyCoefficients
from ...schedules.hosting.whole_runs import preset_coefficients
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import (
    NAME,
    CoefficientSource,
    FirstKnown,
    sample_sigmasmith_multistep,
)
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .guiders import guidance_of
from .noise_levels import model_sampling_of, sigma_range_of
from .samplers import own_sampler


def multistep_sampler(preset: Preset | None, node_id: Any) -> Any:
    """A SAMPLER that runs the coefficients of a preset, or of the family where its list runs."""

    return own_sampler(NAME, partial(_sample, preset, node_id))


def sample_by_model(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
) -> Tensor:
    """The dropdown's form: the preset that Apply Schedule put on the model."""
    sampling = model_sampling_of(model.inner_model.model_patcher)
    return _sample(getattr(sampling, PRESET_ATTRIBUTE, None), None, model, x, sigmas, extra_args, callback, disable)


def _sample(
    preset: Preset | None,
    node_id: Any,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: Any,
    callback: Any,
    disable: Any,
) -> Tensor:
    def warn(sentence: str) -> None:
        messages.say(sentence, node_id, warning=True)

    sources: tuple[CoefficientSource, ...] = (_family(model),)
    if preset is not None:
        sources = (*preset_coefficients(preset), *sources)
    return sample_sigmasmith_multistep(
        model,
        x,
        sigmas,
        extra_args,
        callback,
        disable,
        coefficients=FirstKnown(sources),
        warn=warn,
        fallback=sample_dpmpp_2m,
    )


def _family(model: Any) -> FamilyCoefficients:
    """The family for the model and the guidance of a run under way."""
    guider = model.inner_model
    return FamilyCoefficients(sigma_range_of(guider.model_patcher), guidance_of(guider) or 1.0)
