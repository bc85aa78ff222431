"""The fitted multistep sampler in the host: which preset it runs, and what it says when it cannot."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy.k_diffusion.sampling import sample_dpmpp_2m
from torch import Tensor

from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import FittedSolver, sample_sigmasmith_multistep
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .noise_levels import model_sampling_of


def multistep_sampler(preset: Preset, node_id: Any) -> Any:
    """A SAMPLER that runs the coefficients of a preset."""

    def sample_sigmasmith_multistep(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        return _sample(preset, node_id, model, x, sigmas, extra_args, callback)

    return comfy.samplers.KSAMPLER(sample_sigmasmith_multistep)


def sample_by_model(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
) -> Tensor:
    """The dropdown's form: the preset that Apply Schedule put on the model."""
    sampling = model_sampling_of(model.inner_model.model_patcher)
    return _sample(getattr(sampling, PRESET_ATTRIBUTE, None), None, model, x, sigmas, extra_args, callback)


def _sample(
    preset: Preset | None, node_id: Any, model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any
) -> Tensor:
    def warn(sentence: str) -> None:
        messages.say(sentence, node_id, warning=True)

    solver = None if preset is None else FittedSolver(preset.schedules, preset.solver)
    return sample_sigmasmith_multistep(
        model, x, sigmas, extra_args, callback, solver=solver, warn=warn, fallback=sample_dpmpp_2m
    )
