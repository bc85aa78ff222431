"""The fitted multistep sampler in the host: which preset it runs, and what it says when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comfy.samplers
from torch import Tensor

from ..registration import PRESET_ATTRIBUTE
from . import registries as _host

if TYPE_CHECKING:
    from ...schedules.presets.preset import Preset


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
    sampling = _host.model_sampling_of(model.inner_model.model_patcher)
    return _sample(getattr(sampling, PRESET_ATTRIBUTE, None), None, model, x, sigmas, extra_args, callback)


def _sample(
    preset: Preset | None, node_id: Any, model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any
) -> Tensor:
    from ...schedules.samplers.fitted import PresetCoefficients, sample_sigmasmith_multistep

    def warn(sentence: str) -> None:
        _host.say(sentence, node_id, warning=True)

    coefficients = None if preset is None else PresetCoefficients(preset.schedules, preset.solver)
    return sample_sigmasmith_multistep(model, x, sigmas, extra_args, callback, coefficients=coefficients, warn=warn)
