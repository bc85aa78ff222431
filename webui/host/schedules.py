"""The schedules of the host's dropdown, which a fit is compared with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from modules import sd_schedulers, shared
from torch import Tensor

from ...schedules.hosting.lists import as_run, keep_contract, usable
from ..registration import LABELS
from .slicing import drops_penultimate

AUTOMATIC = "Automatic"


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


def schedule_labels() -> list[str]:
    """Labels of the dropdown's schedules, ours among them; Automatic is none, for it is another one by sampler."""
    return [entry.label for entry in sd_schedulers.schedulers if entry.function is not None]


def schedule_labelled(label: str, sampler: Any, width: int, height: int) -> Callable[[int], Tensor]:
    """A schedule of the host's dropdown for the loaded model, as this sampler would run it.

    Raises:
        ValueError: there is none of this label.
    """
    if label == AUTOMATIC:
        return _automatic(sampler, width, height)
    entry = next((one for one in sd_schedulers.schedulers if one.label == label and one.function is not None), None)
    if entry is None:
        raise ValueError(f"Schedule types: this host has no {label!r}; it has {', '.join(schedule_labels())}")
    return _dropdown_schedule(entry, sampler, width, height)


def _automatic(sampler: Any, width: int, height: int) -> Callable[[int], Tensor]:
    """The host's choice where no schedule type is chosen and the sampler asks for none, by its own rule."""
    page = {"scheduler": AUTOMATIC, "hr_scheduler": AUTOMATIC, "is_hr_pass": False, "width": width, "height": height}

    def schedule(steps: int) -> Tensor:
        p = SimpleNamespace(
            **page, sampler_noise_scheduler_override=None, extra_generation_params={}, sd_model=shared.sd_model
        )
        return keep_contract(sampler.get_sigmas(p, steps).detach().cpu().float(), steps)

    return schedule


def _dropdown_schedule(entry: Any, sampler: Any, width: int, height: int) -> Callable[[int], Tensor]:
    drops, model = drops_penultimate(sampler.config), sampler.model_wrap
    given: dict[str, Any] = {"sigma_min": float(model.sigmas[0]), "sigma_max": float(model.sigmas[-1])}
    if entry.need_inner_model:
        given["inner_model"] = model
    # Flux2 of Neo and Forge: no field of the entry says so on all of them.
    known = inspect.signature(entry.function).parameters
    given |= {name: value for name, value in (("width", width), ("height", height)) if name in known}

    def schedule(steps: int) -> Tensor:
        return as_run(entry.function(n=steps + drops, device=model.sigmas.device, **given), steps, drops)

    return schedule
