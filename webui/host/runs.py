"""Runs of a sampler function on the host's denoiser, on rows of its batch and as many at a time as fit the memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from modules import sd_samplers_common, shared
from torch import Tensor

from ...schedules.hosting.call_timer import CallTimer
from ...schedules.hosting.row_groups import RowGroups

InterruptedException = sd_samplers_common.InterruptedException
_TOO_LARGE = "Out of memory with a single image at a time; fit at a smaller width and height"


class HostRuns:
    """How a fit runs samplers: `runs(sampler, sigmas, rows)` on the host's denoiser.

    Args:
        denoiser: the host's CFGDenoiser, as its samplers are given it.
        x: (B, ...) the host's start state at `sigma_max`.
        extra_args: the host's, for all B rows.
        sigma_max: noise level of `x`.
        flow: whether noised images are (1 - sigma) * image + sigma * noise.
    """

    splits = True

    def __init__(
        self, denoiser: Any, x: Tensor, extra_args: dict[str, Any], sigma_max: float, *, flow: bool = False
    ) -> None:
        self.denoiser = denoiser
        self.start = x
        self.extra_args = extra_args
        self.sigma_max = sigma_max
        self.flow = flow
        self.has_images = False
        # Whether the host scales the start by sqrt(1 + sigma**2) and not by sigma.
        self.max_denoise = bool(getattr(shared.opts, "sgm_noise_multiplier", False))
        self.timer = CallTimer(x.shape[0])
        self.groups = RowGroups(x.shape[0], _TOO_LARGE, torch.cuda.empty_cache)
        self.latest = x.clone()  # the latest model output of every row, for the case of an interrupt
        self.called: Callable[[], None] = lambda: None  # after every model call of a run
        self._rows = slice(0, x.shape[0])

    def one_row_at_a_time(self) -> None:
        """Call the denoiser with a single row from now on."""
        self.groups.size = 1

    def start_from(self, images: Tensor, sigma: float) -> None:
        """Start from these images from now on, noised to sigma with the noise of the host's start state.

        Args:
            images: (B, ...) that the host has put its noise on.
            sigma: first level of every later run.
        """
        images = images.to(self.start)
        noise = (self.start - self._kept(self.sigma_max) * images) / self.sigma_max
        self.start, self.sigma_max, self.has_images = self._kept(sigma) * images + sigma * noise, sigma, True

    def _kept(self, sigma: float) -> float:
        """The share of an image in its noised state."""
        return 1.0 - sigma if self.flow else 1.0

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
        first = self._rows.start

        def denoise(group: list[int]) -> Tensor:
            stop_if_interrupted()
            self.denoiser.step = call  # groups of one call are one step of the host's prompt timeline
            begin, end = group[0], group[-1] + 1
            arguments = rows_of(self.extra_args, slice(first + begin, first + end), self.start.shape[0])
            return self.denoiser(x[begin:end], sigma[begin:end], **arguments)

        # One "prompt" for all: the host's conditionings are cut by rows, so any rows can run together.
        parts = [part for _, part in self.groups.run(denoise, (0,) * x.shape[0])]
        result = parts[0] if len(parts) == 1 else torch.cat(parts)
        self.latest[first : first + len(result)] = result
        return result


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
        denoised = self._runs.timer.timed(x.shape[0], lambda: self._runs.denoised(x, sigma, self._calls))
        object.__setattr__(self, "_calls", self._calls + 1)
        self._runs.called()
        return denoised


def rows_of(extra_args: dict[str, Any], rows: slice, batch: int) -> dict[str, Any]:
    """The host's arguments of a model call for some rows of the batch: conditionings and tensors are cut."""
    return {name: _cut(value, rows, batch) for name, value in extra_args.items()}


def _cut(value: Any, rows: slice, batch: int) -> Any:
    if hasattr(value, "batch") and hasattr(value, "shape"):  # MulticondLearnedConditioning
        part = value.batch[rows]
        return type(value)(shape=(len(part),), batch=part)
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 0 and value.shape[0] == batch else value
    return value[rows] if isinstance(value, list) and len(value) == batch else value


def was_stopped() -> bool:
    """Whether the person has pressed Interrupt or Skip."""
    return bool(shared.state.interrupted or shared.state.skipped)


def stop_if_interrupted() -> None:
    """Raise the host's own exception when the person has pressed Interrupt or Skip."""
    if was_stopped():
        raise InterruptedException
