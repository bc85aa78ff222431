"""The host's scheduler dropdown and its fixed lists, as functions from a step count to sigmas."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import comfy.samplers
from torch import Tensor

from ...schedules.hosting.lists import as_run, usable
from ...schedules.hosts.schedules import host_schedules
from ..names import LOGGER_NAME
from ..registration import SCHEDULER_NAMES
from .noise_levels import is_flow, model_sampling_of, sigma_range_of


def scheduler_registry() -> tuple[Any, ...]:
    """The arguments of registration.register_schedulers."""
    lists = [comfy.samplers.SCHEDULER_NAMES]
    if comfy.samplers.KSampler.SCHEDULERS is not comfy.samplers.SCHEDULER_NAMES:
        lists.append(comfy.samplers.KSampler.SCHEDULERS)  # another pack has rebound it
    return comfy.samplers.SCHEDULER_HANDLERS, lists, comfy.samplers.SchedulerHandler, drops_penultimate, is_flow


def drops_penultimate(sampler: str) -> bool:
    """Whether the host's KSampler asks for one step more and drops sigmas[-2] for this sampler."""
    return sampler in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS


def dropdown_names() -> list[str]:
    """The list object of the host's scheduler dropdown, ours and other packs' entries included."""
    return comfy.samplers.SCHEDULER_NAMES


def host_baselines(model: Any, sampler: str, steps: tuple[int, ...]) -> Mapping[str, Callable[[int], Tensor]]:
    """The schedules that this host offers for the model: its dropdown, other packs' entries, and its fixed lists.

    As the KSampler would run them with this sampler. What cannot be brought to the contract of a sigma list at the
    asked step counts is left out.
    """
    sampling = model_sampling_of(model)
    found: dict[str, Callable[[int], Tensor]] = {}
    for name in comfy.samplers.SCHEDULER_NAMES:
        if name not in SCHEDULER_NAMES:
            found[name] = dropdown_schedule(sampling, name, drops_penultimate(sampler))
    found |= published_lists(model)
    return usable(found, steps, logging.getLogger(LOGGER_NAME))


def published_lists(model: Any) -> dict[str, Callable[[int], Tensor]]:
    """Name -> steps -> sigmas: the fixed lists that the host has nodes for, where they suit the model's noise range."""
    try:
        table = model_sampling_of(model).sigmas.detach().cpu().double().numpy()
        lists = host_schedules(sigma_range_of(model), table, webui=False)
    except (AttributeError, ValueError):  # a table unlike any the published lists were made for
        return {}
    return {name: made for name, made in lists.items() if name.startswith(("ays_", "gits", "oss_"))}


def dropdown_schedule(sampling: Any, name: str, drops: bool) -> Callable[[int], Tensor]:
    """steps -> sigmas of a dropdown entry as the KSampler runs them; `drops` as drops_penultimate says it."""
    return lambda steps: as_run(comfy.samplers.calculate_sigmas(sampling, name, steps + drops), steps, drops)
