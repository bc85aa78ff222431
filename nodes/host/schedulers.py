"""The host's scheduler dropdown, and its schedules as functions from a step count to sigmas."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import comfy.samplers
from torch import Tensor

from ...schedules.hosting.lists import as_run
from ...schedules.presets.preset import Preset
from . import messages
from .metadata import note_list, sampler_here
from .noise_levels import is_flow

# Of schedules that are asked for outside a node that names one: our entries are told a model and a step count alone.
_sampler: ContextVar[str] = ContextVar("sampler", default="")


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
        lambda: _sampler.get() or sampler_here(),
        _note,
    )


def _note(sigmas: Tensor, preset: Preset | None) -> None:
    """Note a list that a node of the graph asks for to run it; those that are asked for to be looked at are not run."""
    if not _sampler.get():
        note_list(sigmas, preset, drops_penultimate)


def drops_penultimate(sampler: str) -> bool:
    """Whether the host's KSampler asks for one step more and drops sigmas[-2] for this sampler."""
    return sampler in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS


def dropdown_names() -> list[str]:
    """The list object of the host's scheduler dropdown, ours and other packs' entries included."""
    return comfy.samplers.SCHEDULER_NAMES


def dropdown_schedule(sampling: Any, name: str, drops: bool, sampler: str = "") -> Callable[[int], Tensor]:
    """steps -> sigmas of a dropdown entry as the KSampler runs them with a sampler.

    Args:
        drops: as drops_penultimate says it.
        sampler: its name, "" where it is none of the dropdown's.
    """

    def schedule(steps: int) -> Tensor:
        before = _sampler.set(sampler)
        try:
            return as_run(comfy.samplers.calculate_sigmas(sampling, name, steps + drops), steps, drops)
        finally:
            _sampler.reset(before)

    return schedule
