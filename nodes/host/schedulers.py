"""The host's scheduler dropdown, and its schedules as functions from a step count to sigmas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.samplers
from torch import Tensor

from ...schedules.hosting.lists import as_run
from . import messages
from .noise_levels import is_flow


def scheduler_registry() -> tuple[Any, ...]:
    """The arguments of registration.register_schedulers."""
    lists = [comfy.samplers.SCHEDULER_NAMES]
    if comfy.samplers.KSampler.SCHEDULERS is not comfy.samplers.SCHEDULER_NAMES:
        lists.append(comfy.samplers.KSampler.SCHEDULERS)  # another pack has rebound it
    return (
        comfy.samplers.SCHEDULER_HANDLERS,
        lists,
        comfy.samplers.SchedulerHandler,
        drops_penultimate,
        is_flow,
        messages.say_here,
    )


def drops_penultimate(sampler: str) -> bool:
    """Whether the host's KSampler asks for one step more and drops sigmas[-2] for this sampler."""
    return sampler in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS


def dropdown_names() -> list[str]:
    """The list object of the host's scheduler dropdown, ours and other packs' entries included."""
    return comfy.samplers.SCHEDULER_NAMES


def dropdown_schedule(sampling: Any, name: str, drops: bool) -> Callable[[int], Tensor]:
    """steps -> sigmas of a dropdown entry as the KSampler runs them; `drops` as drops_penultimate says it."""
    return lambda steps: as_run(comfy.samplers.calculate_sigmas(sampling, name, steps + drops), steps, drops)
