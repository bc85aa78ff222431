"""The schedules of the host's dropdown, which a fit is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules import sd_schedulers
from torch import Tensor

from ...schedules.hosting.lists import as_run, usable
from ..registration import LABELS
from .slicing import drops_penultimate


def baselines(sampler: Any, steps: tuple[int, ...], width: int, height: int) -> dict[str, Callable[[int], Tensor]]:
    """The schedules of the host's dropdown for the loaded model, as this sampler would run them.

    What cannot be brought to the contract of a sigma list at the asked step counts is left out.

    Args:
        width, height: of the images in pixels; some schedules depend on them.
    """
    dropdown = {
        entry.name: _dropdown_schedule(entry, sampler, width, height)
        for entry in sd_schedulers.schedulers
        if entry.function is not None and entry.name not in LABELS
    }
    return usable(dropdown, steps)


def _dropdown_schedule(entry: Any, sampler: Any, width: int, height: int) -> Callable[[int], Tensor]:
    drops, model = drops_penultimate(sampler.config), sampler.model_wrap
    given: dict[str, Any] = {"sigma_min": float(model.sigmas[0]), "sigma_max": float(model.sigmas[-1])}
    if entry.need_inner_model:
        given["inner_model"] = model
    if getattr(entry, "need_width_height", False):  # Neo
        given |= {"width": width, "height": height}

    def schedule(steps: int) -> Tensor:
        return as_run(entry.function(n=steps + drops, device=model.sigmas.device, **given), steps, drops)

    return schedule
