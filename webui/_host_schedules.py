"""The schedules of the host's dropdown, which a fit is compared with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from modules import sd_schedulers
from torch import Tensor

from ..schedules.host_lists import keep_contract
from ..schedules.preset_checks import check_label
from . import LOGGER_NAME, _host
from .registration import LABELS


def baselines(sampler: Any, steps: tuple[int, ...]) -> dict[str, Callable[[int], Tensor]]:
    """The schedules of the host's dropdown for the loaded model, as this sampler would run them.

    What cannot be brought to the contract of a sigma list at the asked step counts is left out.
    """
    found = {
        entry.name: _dropdown_schedule(entry, sampler)
        for entry in sd_schedulers.schedulers
        if entry.function is not None and entry.name not in LABELS
    }
    return {name: made for name, made in found.items() if _answers(name, made, steps)}


def _dropdown_schedule(entry: Any, sampler: Any) -> Callable[[int], Tensor]:
    drops, model = _host.drops_penultimate(sampler.config), sampler.model_wrap
    given: dict[str, Any] = {"sigma_min": float(model.sigmas[0]), "sigma_max": float(model.sigmas[-1])}
    if entry.need_inner_model:
        given["inner_model"] = model

    def schedule(steps: int) -> Tensor:
        sigmas = entry.function(n=steps + drops, device=model.sigmas.device, **given).detach().cpu().float()
        if drops:
            sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
        return keep_contract(sigmas, steps)

    return schedule


def _answers(name: str, schedule: Callable[[int], Tensor], steps: tuple[int, ...]) -> bool:
    try:
        check_label("name", name)  # it goes into the preset's errors
        return all(len(schedule(count)) == count + 1 for count in steps)
    except Exception as error:  # another extension's function may raise anything
        logging.getLogger(LOGGER_NAME).info("Sigmasmith: the schedule %s is not compared: %s", name, error)
        return False
