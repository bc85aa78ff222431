"""Sigma lists on their way between a host's registry and ours, shared by the hosts' layers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.sigmas import check_sigmas, finish_sigmas, resample_sigmas
from ..core.types import Schedule
from ..presets.checks import check_label
from . import LOGGER_NAME
from .whole_runs import preset_run

if TYPE_CHECKING:
    from ..presets.preset import Preset

# A printed 14.615 and the table's 14.614641 are one sigma_max.
_SAME_SIGMA = 1e-3


def preset_sigmas(preset: Preset, steps: int, sigma_max: float, drops_penultimate: bool = False) -> tuple[Tensor, str]:
    """The preset's answer to the host's question for `steps` steps, and where it comes from in words (whole_runs.py).

    For a sampler whose host asks one step more and drops the last but one sigma, this is the schedule of steps - 1
    with one sigma put before the 0, the one that is dropped. Where nothing drops it (ComfyUI's BasicScheduler), one
    step more runs than the schedule was fitted for.

    Args:
        sigma_max: of the running model.
    Returns:
        (steps + 1,) float32, CPU; [0] == sigma_max where the preset was fitted to a model of the same sigma_max.
    """
    dropped = drops_penultimate and steps > 1
    sigmas, said = preset_run(preset, steps - dropped)
    return at_sigma_max(before_drop(sigmas) if dropped else sigmas, sigma_max), said


def before_drop(sigmas: Tensor) -> Tensor:
    """A list with one sigma put before the 0, for a host that drops the last but one."""
    return torch.cat([sigmas[:-1], sigmas[-2:-1] * 0.5, sigmas[-1:]])


def at_sigma_max(sigmas: Tensor, sigma_max: float) -> Tensor:
    """The list with its first sigma set to the model's sigma_max where both mean the same level; in place."""
    # Hosts compare sigmas[0] with their own sigma_max to 1e-5 before they scale the noise.
    if abs(float(sigmas[0]) / sigma_max - 1.0) < _SAME_SIGMA and (len(sigmas) < 2 or sigma_max > float(sigmas[1])):
        sigmas[0] = sigma_max
    return sigmas


def keep_contract(sigmas: Tensor, steps: int) -> Tensor:
    """A host's list with repeats removed and, where its length is not steps + 1, resampled.

    Raises:
        ValueError: it has no positive values, or too few to resample.
    """
    if len(sigmas) == steps + 1 and float(sigmas[-1]) == 0.0 and bool((sigmas[1:] < sigmas[:-1]).all()):
        return check_sigmas(sigmas)
    positive = sigmas[sigmas > 0.0].double()
    falling = torch.ones(len(positive), dtype=torch.bool)
    falling[1:] = positive[1:] < torch.cummin(positive, 0).values[:-1]
    return resample_sigmas(finish_sigmas(positive[falling].numpy()), steps)


def as_run(sigmas: Tensor, steps: int, drops: bool) -> Tensor:
    """A dropdown's answer for steps + drops as the host runs it: without the last sigma but one where it drops that."""
    sigmas = sigmas.detach().cpu().float()
    return keep_contract(torch.cat([sigmas[:-2], sigmas[-1:]]) if drops else sigmas, steps)


def usable(schedules: Mapping[str, Schedule], steps: Sequence[int]) -> dict[str, Schedule]:
    """The schedules that can be compared at these step counts; the log says why others cannot."""
    return {name: schedule for name, schedule in schedules.items() if _answers(name, schedule, steps)}


def _answers(name: str, schedule: Schedule, steps: Sequence[int]) -> bool:
    try:
        check_label("name", name)  # it goes into the preset's errors
        return all(len(schedule(count)) == count + 1 for count in steps)
    except Exception as error:  # another pack's function may raise anything
        logging.getLogger(LOGGER_NAME).info("Sigmasmith: the schedule %s is not compared: %s", name, error)
        return False
