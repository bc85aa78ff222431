"""A fit inside a generation of the host: a sampler that fits a schedule instead of running one.

The host has loaded the model, applied networks and extensions, made the conditionings and drawn the noise as for any
batch of images. So the runs of the fit go through the host's own denoiser with its guidance, and Interrupt, progress
and previews are the host's own. At the end the batch is sampled with the fitted schedule, so the images are seen too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from modules import shared
from torch import Tensor

from ...schedules.core.words import duration
from ...schedules.hosting.call_timer import CallTimer
from ...schedules.hosting.noise_use import uses_given_noise
from ...schedules.hosting.progress import AT_MOST, takes_about
from .runs import stop_if_interrupted
from .samplers import function_name


@dataclass(frozen=True)
class FittableSampler:
    """A host sampler as the fit runs it.

    Attributes:
        function: k-diffusion's signature; has a parameter `noise_sampler` where the sampler draws noise.
        stochastic: whether it has.
        note: what to say about it, "" for nothing.
    """

    function: Callable[..., Tensor]
    stochastic: bool
    note: str = ""


def fit_sampler(sampler: Any, eta: float) -> FittableSampler:
    """The function of a host's KDiffusionSampler object; one that draws noise takes it from the fit.

    Args:
        eta: the person's, for samplers that have one.
    """
    function, options = sampler.func, {}
    known = inspect.signature(function).parameters
    has_eta = "eta" in known
    asks = "noise_sampler" in known
    draws = known["eta"].default != 0.0 if has_eta else asks and uses_given_noise(function)
    stochastic = asks and draws and eta > 0.0
    note = ""
    if has_eta:
        options["eta"] = eta if stochastic else 0.0
        if not stochastic and eta > 0.0 and known["eta"].default != 0.0:
            note = f"{sampler.config.name} draws noise that cannot be given to it from outside; it was fitted without."
    if sampler.config.options.get("solver_type") == "heun":
        options["solver_type"] = "heun"

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, **noise: Any
    ) -> Any:
        noise.pop("disable", None)
        if asks and "noise_sampler" not in noise:  # multiplied by 0, but asked for all the same
            noise["noise_sampler"] = lambda *_: torch.zeros_like(x)
        given = {"extra_args": extra_args, "callback": callback, "disable": True}
        return function(model, x, sigmas.clone(), **(given | options | noise))

    def sample_on_path(*given: Any, noise_sampler: Any = None, **kwargs: Any) -> Tensor:
        return sample(*given, noise_sampler=noise_sampler, **kwargs)

    chosen = sample_on_path if stochastic else sample
    chosen.__name__ = f"sample_{function_name(sampler)}"
    return FittableSampler(chosen, stochastic, note)


def progress_bar(
    timer: CallTimer, minutes: float | None, say: Callable[[str], None], what: str = "The fit"
) -> Callable[[int, int, str], None]:
    """calibrate's progress function: the host's bar and text, and once in the log how long it will take.

    Args:
        timer: of the model calls of the fit.
        minutes: after which it is stopped, None for no limit.
        say: tells the log.
        what: takes the time.
    """

    def progress(done: int, total: int, message: str) -> None:
        stop_if_interrupted()
        shared.state.sampling_steps, shared.state.sampling_step = max(total, 1), done
        left = f", {duration(timer.seconds_left(done, total))}{AT_MOST}" if timer.ready else ""
        shared.state.textinfo = f"Sigmasmith: {message}{left}"
        seconds = timer.first_estimate(done, total)
        if seconds is not None:
            say(f"{takes_about(what, seconds, minutes)}.")

    return progress
