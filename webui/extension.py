"""The entry for scripts/sigmasmith_webui.py: make our entries, register everything, return the script class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from . import axes, samplers, schedulers
from .host import own_samplers
from .host.extension import register_callbacks, register_entries
from .jobs import sample_job
from .log import show_log
from .passes import note_generation
from .registration import FIT_SAMPLER, SamplerEntry
from .script import SigmasmithScript, note_model_call
from .state import latest


def load() -> type[Any]:
    """Register schedulers, samplers and callbacks with the host; safe to call again after a reload."""
    show_log()
    register_entries(schedulers.functions(), sampler_entries())
    register_callbacks(note_model_call, note_generation, axes.options)
    return SigmasmithScript


def sampler_entries() -> list[SamplerEntry]:
    """Our samplers for the host's list, and the one that fits."""
    own = [
        SamplerEntry(one.label, _as_host_calls(one), {"scheduler": one.scheduler} if one.scheduler else {})
        for one in samplers.OWN_SAMPLERS
    ]
    return [*own, SamplerEntry(FIT_SAMPLER, sample_job, {}, hidden=True)]


def _as_host_calls(sampler: samplers.OwnSampler) -> Callable[..., Tensor]:
    """The sampler with k-diffusion's signature and nothing more: hosts fill further parameters by their names."""
    run = getattr(own_samplers, sampler.runner)

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        generation = latest()
        given = generation.choice.options if generation else {}
        values = {key: given.get(key, samplers.OPTIONS[key].default) for key in sampler.options}
        return run(model, x, sigmas, extra_args or {}, callback, **values)

    sample.__name__ = "sample_" + sampler.label.lower().replace(" ", "_").replace("-", "_")
    return sample
