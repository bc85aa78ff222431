"""A fit inside a generation of the host: a sampler that fits a schedule instead of running one.

The host has loaded the model, applied networks and extensions, made the conditionings and drawn the noise as for any
batch of images. So the runs of the fit go through the host's own denoiser with its guidance, and Interrupt, progress
and previews are the host's own. At the end the batch is sampled with the fitted schedule, so the images are seen too.
"""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from modules import sd_samplers_common, shared
from torch import Tensor

from ...schedules.core.words import duration
from ...schedules.hosting.call_timer import CallTimer
from .. import LOGGER_NAME
from ..fit.request import FitRequest
from . import registries as _host

InterruptedException = sd_samplers_common.InterruptedException


class HostRuns:
    """The Run (schedules/core/run.py) of a generation: sampler functions on the host's denoiser.

    Args:
        denoiser: the host's CFGDenoiser, as its samplers are given it.
        x: (B, ...) the host's start state at `sigma_max`.
        extra_args: the host's, for all B rows.
        sigma_max: noise level of `x`.
        max_denoise: whether the host scales the start by sqrt(1 + sigma**2) and not by sigma.
    """

    splits = True

    def __init__(
        self, denoiser: Any, x: Tensor, extra_args: dict[str, Any], sigma_max: float, *, max_denoise: bool = False
    ) -> None:
        self.denoiser = denoiser
        self.start = x
        self.extra_args = extra_args
        self.sigma_max = sigma_max
        self.max_denoise = max_denoise
        self.timer = CallTimer(x.shape[0])
        self.chunk = x.shape[0]
        self.latest = x.clone()  # the latest model output of every row, for the case of an interrupt
        self._rows = slice(0, x.shape[0])

    def __call__(self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice) -> None:
        """Run a sampler function on these rows, from the host's start state scaled to sigmas[0]."""
        self.end_state(sampler, sigmas, rows)

    def end_state(self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice) -> Tensor:
        """As a call, with what the sampler returns."""
        self._rows = rows
        first = float(sigmas[0])
        scale = math.hypot(1.0, first) / math.hypot(1.0, self.sigma_max) if self.max_denoise else first / self.sigma_max
        steps = len(sigmas) - 1
        self.denoiser.steps = steps
        self.denoiser.total_steps = self.denoiser.sampler.config.total_steps(steps)
        levels = sigmas.to(self.start.device)
        model = _Rows(self)
        return sampler(model, self.start[rows] * scale, levels, extra_args={}, callback=None, disable=True)

    def denoised(self, x: Tensor, sigma: Tensor, call: int) -> Tensor:
        """The host's denoiser on the rows of the current run, fewer at a time when memory runs out."""
        first, parts, done = self._rows.start, [], 0
        while done < x.shape[0]:
            upto = min(done + self.chunk, x.shape[0])
            stop_if_interrupted()
            self.denoiser.step = call  # chunks of one call are one step of the host's prompt timeline
            try:
                arguments = rows_of(self.extra_args, slice(first + done, first + upto), self.start.shape[0])
                out = self.denoiser(x[done:upto], sigma[done:upto], **arguments)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                out = None
            if out is None:  # outside the handler: until it is left, the failed call keeps its memory
                self._smaller(upto - done)
                continue
            parts.append(out)
            done = upto
        result = parts[0] if len(parts) == 1 else torch.cat(parts)
        self.latest[first : first + len(result)] = result
        return result

    def _smaller(self, rows: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if rows == 1:
            raise MemoryError("Out of memory with a single image at a time; fit at a smaller width and height")
        self.chunk = (rows + 1) // 2
        logging.getLogger(LOGGER_NAME).info("Sigmasmith: out of memory, going on with %d rows at a time", self.chunk)


class _Rows:
    """The host's denoiser as a sampler function sees it; samplers read and set its attributes: those pass through."""

    def __init__(self, runs: HostRuns) -> None:
        object.__setattr__(self, "_runs", runs)
        object.__setattr__(self, "_calls", 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs.denoiser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._runs.denoiser, name, value)

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        runs, start = self._runs, time.perf_counter()
        denoised = runs.denoised(x, sigma, self._calls)
        object.__setattr__(self, "_calls", self._calls + 1)
        if denoised.device.type != "cpu" and not runs.timer.ready:
            float(denoised.flatten()[0])  # waits for the device: a launched call has taken no time yet
        runs.timer.add(x.shape[0], time.perf_counter() - start)
        return denoised


def rows_of(extra_args: dict[str, Any], rows: slice, batch: int) -> dict[str, Any]:
    """The host's arguments of a model call for some rows of the batch: conditionings and tensors are cut."""
    return {name: _rows(value, rows, batch) for name, value in extra_args.items()}


def _rows(value: Any, rows: slice, batch: int) -> Any:
    if hasattr(value, "batch") and hasattr(value, "shape"):  # MulticondLearnedConditioning
        part = value.batch[rows]
        return type(value)(shape=(len(part),), batch=part)
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 0 and value.shape[0] == batch else value
    return value[rows] if isinstance(value, list) and len(value) == batch else value


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that the device's memory ran out."""
    known = getattr(torch.cuda, "OutOfMemoryError", None)
    if isinstance(error, MemoryError) or (known is not None and isinstance(error, known)):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def stop_if_interrupted() -> None:
    """Raise the host's own exception when the person has pressed Interrupt or Skip."""
    if shared.state.interrupted or shared.state.skipped:
        raise InterruptedException


@dataclass(frozen=True)
class FitSampler:
    """A host sampler as the fit runs it.

    Attributes:
        function: k-diffusion's signature; has a parameter `noise_sampler` where the sampler draws noise.
        stochastic: whether it has.
        note: what to say about it, "" for nothing.
    """

    function: Callable[..., Tensor]
    stochastic: bool
    note: str = ""


def fit_sampler(sampler: Any, eta: float) -> FitSampler:
    """The function of a host's KDiffusionSampler object; one that draws noise takes it from the fit.

    Args:
        eta: the person's, for samplers that have one.
    """
    function, options = sampler.func, {}
    known = inspect.signature(function).parameters
    has_eta = "eta" in known
    stochastic = "noise_sampler" in known and (not has_eta or known["eta"].default != 0.0) and eta > 0.0
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
        if "noise_sampler" in known and "noise_sampler" not in noise:  # multiplied by 0, but asked for all the same
            noise["noise_sampler"] = lambda *_: torch.zeros_like(x)
        given = {"extra_args": extra_args, "callback": callback, "disable": True}
        return function(model, x, sigmas.clone(), **(given | options | noise))

    def sample_on_path(*given: Any, noise_sampler: Any = None, **kwargs: Any) -> Tensor:
        return sample(*given, noise_sampler=noise_sampler, **kwargs)

    chosen = sample_on_path if stochastic else sample
    chosen.__name__ = f"sample_{_host.function_name(sampler)}"
    return FitSampler(chosen, stochastic, note)


def progress_bar(runs: HostRuns, request: FitRequest, said: Callable[[str], None]) -> Callable[[int, int, str], None]:
    """calibrate's progress function: the host's bar and text, and once in the log how long it will take."""

    def progress(done: int, total: int, message: str) -> None:
        stop_if_interrupted()
        shared.state.sampling_steps, shared.state.sampling_step = max(total, 1), done
        shared.state.textinfo = f"Sigmasmith: {message}"
        if not runs.timer.ready:
            return
        left = runs.timer.seconds_left(done, total)
        shared.state.textinfo += f", {duration(left)} more at most"
        if not runs.timer.told:
            runs.timer.told = True
            cap = f", stopped after {request.minutes:g} minutes" if request.minutes else ""
            said(f"The fit takes about {duration(left)} more at most{cap}.")

    return progress
