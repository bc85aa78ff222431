"""The adaptive sampler in the host: what it must know of the run, and the report afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...schedules.adaptive.report import AdaptiveReport
from ...schedules.adaptive.samplers import sample_sigmasmith_adaptive
from . import messages
from .guard import step_state
from .guidance import guidance_curve_of
from .noise_levels import is_flow, model_sampling_of
from .samplers import own_sampler


def adaptive_sampler(node_id: Any, **settings: Any) -> Any:
    """A SAMPLER; `settings` are keyword arguments of sample_sigmasmith_adaptive."""

    def run(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any, _: Any) -> Tensor:
        return _sample(model, x, sigmas, extra_args, callback, node_id, settings)

    return own_sampler("sigmasmith_adaptive", run)


def sample_by_steps(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
) -> Tensor:
    """The dropdown's form: as many model calls as there are steps."""
    return _sample(model, x, sigmas, extra_args, callback, None, {"calls": None})


def _sample(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any, node_id: Any, settings: dict[str, Any]
) -> Tensor:
    guider, report = model.inner_model, AdaptiveReport()
    sampling = model_sampling_of(guider.model_patcher)
    shared = one_level_readers(guider, extra_args or {}) if x.shape[0] > 1 else []

    def model_unless_interrupted(*given: Any, **kwargs: Any) -> Tensor:
        messages.stop_if_interrupted()
        return model(*given, **kwargs)

    result = sample_sigmasmith_adaptive(
        model_unless_interrupted,
        x,
        sigmas,
        extra_args,
        callback,
        flow=is_flow(sampling),
        sigma_min=float(torch.as_tensor(sampling.sigma_min)),
        reset_at=(*change_sigmas(guider.conds), *guidance_jumps(guider)),
        together=bool(shared),
        report=report,
        **settings,
    )
    if report.calls:
        reason = f"\nAll images took the same steps, for {shared[0]} reads one noise level for all." if shared else ""
        messages.say(report.in_words() + reason, node_id, quiet=True)
    return result


def change_sigmas(conds: dict[str, list[dict[str, Any]]]) -> Iterator[float]:
    """Noise levels at which a conditioning or a control image of the run begins or ends.

    One that ends at a sigma still acts there, so the change is just below.
    """
    for cond in (cond for group in conds.values() for cond in group):
        ranges = [(cond.get("timestep_start"), cond.get("timestep_end"))]
        control = cond.get("control")
        while control is not None:
            ranges.append(getattr(control, "timestep_range", None) or (None, None))
            control = getattr(control, "previous_controlnet", None)
        for start, end in ranges:
            if start is not None:
                yield float(start)
            if end is not None:
                yield float(np.nextafter(np.float32(float(end)), np.float32(0.0)))


def guidance_jumps(guider: Any) -> tuple[float, ...]:
    """Noise levels at which a guidance interval begins or ends: there it is the one or the other side already."""
    curve = guidance_curve_of(guider.model_patcher)
    return curve.jumps if curve is not None else ()


def one_level_readers(guider: Any, extra_args: dict[str, Any]) -> list[str]:
    """Names of patches on the model that take the first image's noise level for that of all."""
    readers = step_state(guider)
    if "denoise_mask_function" in extra_args.get("model_options", {}):
        readers.append("Differential Diffusion")
    curve = guidance_curve_of(guider.model_patcher)
    if curve is not None and not curve.jumps:  # rows at different levels would each cost a model call of their own
        readers.append("a Sigmasmith Guidance curve")
    return readers
