"""Our three names in the host's scheduler dropdown, and what they answer.

A handler is told the model_sampling object and a step count, nothing else. The preset therefore rides on that object,
where SigmasmithApply put it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, MutableMapping, MutableSequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import LOGGER_NAME

if TYPE_CHECKING:
    from ..schedules.presets import Preset

OPTIMAL, COSINE, ADAPTIVE = "sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"
SCHEDULER_NAMES = (OPTIMAL, COSINE, ADAPTIVE)
PRESET_ATTRIBUTE = "sigmasmith_preset"
# A printed 14.615 and the table's 14.614641 are one sigma_max.
_SAME_SIGMA = 1e-3
# What was handed out lately, so that a run can be told from one with another scheduler.
_handed_out: deque[tuple[float, ...]] = deque(maxlen=256)


def register_schedulers(
    handlers: MutableMapping[str, Any],
    name_lists: list[MutableSequence[str]],
    make_handler: Callable[..., Any],
    drops_penultimate: Callable[[str], bool],
    is_flow: Callable[[Any], bool],
) -> None:
    """Append our names once, in place: the lists that other packs hold stay the same objects.

    Args:
        handlers: the host's name -> handler.
        name_lists: the host's list of names, and the dropdown's where another pack has rebound it.
        make_handler: the host's handler type, called with (function, use_ms=True).
        drops_penultimate: sampler name -> whether the host's KSampler asks one step more and drops sigmas[-2] for it.
        is_flow: of a model_sampling object.
    """
    for name in SCHEDULER_NAMES:
        if name not in handlers:
            answer = partial(scheduled, name, drops_penultimate=drops_penultimate, is_flow=is_flow)
            handlers[name] = make_handler(answer, use_ms=True)
        for names in name_lists:
            if name not in names:
                names.append(name)


def scheduled(
    name: str,
    model_sampling: Any,
    steps: int,
    *,
    drops_penultimate: Callable[[str], bool],
    is_flow: Callable[[Any], bool],
) -> Tensor:
    """The sigma list (steps + 1,) of one of our scheduler names, float32, CPU."""
    low, high, flow = float(model_sampling.sigma_min), float(model_sampling.sigma_max), is_flow(model_sampling)
    preset = getattr(model_sampling, PRESET_ATTRIBUTE, None)
    if name == COSINE:
        from ..schedules.curves import CURVES

        return CURVES["cosine"](steps, low, high, flow=flow)
    if preset is not None:
        sigmas = remember(preset_sigmas(preset, steps, high, drops_penultimate(preset.sampler)))
        logging.getLogger(LOGGER_NAME).info(
            "Sigmasmith: %d steps of preset %s (%s)", steps, preset.name or "without a name", preset.short_hash
        )
        return sigmas
    from ..schedules.fallback import fallback_sigmas

    logging.getLogger(LOGGER_NAME).warning(
        "Sigmasmith: %s runs on its fallback curve, for no preset is on the model. "
        "Connect Sigmasmith Apply Schedule in front of the sampler to use a fitted one.",
        name,
    )
    return fallback_sigmas(steps, low, high, flow=flow)


def preset_sigmas(preset: Preset, steps: int, sigma_max: float, drops_penultimate: bool = False) -> Tensor:
    """The preset's answer to the host's question for `steps` steps.

    For a sampler whose KSampler asks one step more and drops the last but one sigma, this is the schedule of
    steps - 1 with one sigma put before the 0, the one that is dropped. BasicScheduler drops nothing and then runs
    that one step more than the schedule was fitted for.
    """
    if drops_penultimate and steps > 1:
        kept = preset.sigmas(steps - 1)
        sigmas = torch.cat([kept[:-1], kept[-2:-1] * 0.5, kept[-1:]])
    else:
        sigmas = preset.sigmas(steps)
    # The host compares sigmas[0] with its own sigma_max to 1e-5 before it scales the noise.
    if abs(float(sigmas[0]) / sigma_max - 1.0) < _SAME_SIGMA and (len(sigmas) < 2 or sigma_max > float(sigmas[1])):
        sigmas[0] = sigma_max
    return sigmas


def remember(sigmas: Tensor) -> Tensor:
    """Note a list that comes from a preset; returned unchanged."""
    positive = _positive(sigmas)
    if positive not in _handed_out:
        _handed_out.append(positive)
    return sigmas


def was_handed_out(sigmas: Tensor) -> bool:
    """Whether a run's sigmas are such a list or an unbroken part of one (denoise, splits, a last step to 0)."""
    run = _positive(sigmas)
    if not run:
        return True
    for known in _handed_out:
        if run[0] in known:
            start = known.index(run[0])
            if known[start : start + len(run)] == run:
                return True
    return False


def _positive(sigmas: Tensor) -> tuple[float, ...]:
    return tuple(float(sigma) for sigma in sigmas.detach().cpu().float() if float(sigma) > 0.0)
