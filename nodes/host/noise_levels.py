"""The noise levels of a host's model, as nodes before this one have patched them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_sampling
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange, flow_top
from ...schedules.presets.preset import Preset


def is_flow(model_sampling: Any) -> bool:
    """Whether x = (1 - sigma) * x0 + sigma * noise: of the host's CONST kind, and no level above 1.

    Its image-to-image models are of that kind with the levels of a noise-prediction model; none of their states is a
    noised one, so that any falling list will do.
    """
    return isinstance(model_sampling, comfy.model_sampling.CONST) and flow_top(float(model_sampling.sigma_max)) <= 1.0


def model_sampling_of(model: Any) -> Any:
    """The model's noise levels, as patched by nodes before this one."""
    return model.get_model_object("model_sampling")


@dataclass(frozen=True)
class NoiseLevels:
    """A model's noise levels.

    Attributes:
        sampling: the host's object.
        sigma_range: its ends.
        table: ascending; None where the object has none.
    """

    sampling: Any
    sigma_range: SigmaRange
    table: NDArray[np.float64] | None


def noise_levels_of(model: Any) -> NoiseLevels:
    """All of them at once.

    Raises:
        ValueError: the model's own range makes no sense.
    """
    sampling = model_sampling_of(model)
    return NoiseLevels(sampling, sigma_range_of(model), sigma_table_of(sampling))


def sigma_table_of(sampling: Any) -> NDArray[np.float64] | None:
    """The noise levels' own table, ascending; None where they have none."""
    table = getattr(sampling, "sigmas", None)
    return table.detach().cpu().double().numpy() if isinstance(table, Tensor) else None


def sigma_range_of(model: Any) -> SigmaRange:
    """The model's noise range.

    Raises:
        ValueError: the model's own range makes no sense.
    """
    sampling = model_sampling_of(model)
    try:
        return SigmaRange(float(sampling.sigma_min), float(sampling.sigma_max), flow=is_flow(sampling))
    except ValueError as error:
        raise ValueError(f"model: its noise levels cannot be used: {error}") from error


def check_same_noise(model: Any, preset: Preset) -> None:
    """Refuse a preset whose sigmas mean something else on this model; any other difference is a warning of the run."""
    running = sigma_range_of(model)
    if running.flow != preset.model.flow:
        kinds = {True: "flow models, with sigmas from 0 to 1", False: "noise-prediction models"}
        raise ValueError(
            f"preset: it was fitted for {kinds[preset.model.flow]}; this is one of the {kinds[running.flow]}. "
            "Fit one to this model."
        )
