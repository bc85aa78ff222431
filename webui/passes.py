"""The sampling pass that the host is about to start, as a generation's processing object tells it."""

from __future__ import annotations

from typing import Any

import torch

from . import samplers, state
from .host.identity import guidance_of
from .host.samplers import function_name, scheduler_of
from .host.slicing import slicing_of, starts_from_image
from .host.tasks import current_task
from .registration import scheduler_name
from .state import SamplingPass


def note_generation(p: Any) -> None:
    """The host's callback of every generation: one that leaves our hooks out is known all the same."""
    state.begin_without_hooks(p, current_task())


def announce_without_hooks() -> None:
    """Announce the pass that asks for a schedule now, where no hook of ours runs that would have done it."""
    generation = state.latest()
    p = None if generation is None else generation.processing()
    if generation is not None and not generation.hooked and p is not None and p.sampler is not None:
        generation.current = announced(p, None)


def announced(p: Any, x: Any) -> SamplingPass:
    """The sampling pass that the host is about to start."""
    hires = bool(getattr(p, "is_hr_pass", False))
    sampler = p.sampler
    config = getattr(sampler, "config", None)
    chosen = scheduler_of(p.hr_scheduler if hires else p.scheduler, config)
    label = getattr(config, "name", "") or ""
    own = samplers.own_sampler(label)
    return SamplingPass(
        scheduler=scheduler_name(chosen),
        sampler=label,
        function=function_name(sampler),
        slicing=slicing_of(p, sampler, image_start=hires or starts_from_image(p)),
        hires=hires,
        guidance=guidance_of(p),
        latent_shape=tuple(x.shape[1:]) if isinstance(x, torch.Tensor) else None,
        own_levels=own is not None and own.own_levels,
    )
