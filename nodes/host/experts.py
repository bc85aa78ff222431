"""Two models in turn in the host: two `guider.sample` in a row, as two KSamplers (Advanced) run them."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from ...schedules.core.run import ResumesHandover
from ...schedules.fitting.experts import parts
from ..text import duration
from .runs import GuiderRuns


class ExpertRuns:
    """The Run (schedules/core/run.py) of two guiders: `first` from the boundary upwards, `second` below.

    The second takes over the latent without new noise. No more than one of the models needs the device at a time, but
    every run of a schedule needs both in turn: `turns` counts how often a model took over, `seconds` is what the
    runs took beside the model calls, loading among it.
    """

    splits = True

    def __init__(self, first: GuiderRuns, second: GuiderRuns, boundary: float) -> None:
        self.first, self.second, self.boundary = first, second, boundary
        self.guider, self.noise, self.timer = first.guider, first.noise, first.timer
        second.timer = first.timer
        self.turns, self.seconds = 0, 0.0
        self._latest: GuiderRuns | None = None

    @property
    def chunk(self) -> int:
        """Rows that run at a time."""
        return min(self.first.chunk, self.second.chunk)

    def one_row_at_a_time(self) -> None:
        """Call the models with a single row from now on."""
        self.first.one_row_at_a_time()
        self.second.one_row_at_a_time()

    @property
    def preview(self) -> Tensor | None:
        """The first row of the latest model output."""
        return None if self._latest is None else self._latest.preview

    @property
    def costs(self) -> str:
        """A sentence on the cost of the second model beside its calls."""
        return (
            f"The models took turns {self.turns} times; loading them and all else beside their calls took "
            f"{duration(self.seconds)}."
        )

    def __call__(self, sampler: Any, sigmas: Tensor, rows: slice) -> None:
        """Run one sampler function on these rows, once for each model that has a step; see Run."""
        noise, latent = self.noise[rows], self.first.latent[rows]
        upper, lower = parts(sigmas, self.boundary)
        if not len(lower):
            self._sample(self.first, sampler, upper, rows, noise, latent)
            return
        if len(upper):
            # A run that differs from an earlier one below the boundary only needs the second model alone.
            known = sampler.known(upper) if isinstance(sampler, ResumesHandover) else None
            latent = self._sample(self.first, sampler, upper, rows, noise, latent) if known is None else known
            if isinstance(sampler, ResumesHandover):
                sampler.keep(latent)
            noise = torch.zeros_like(noise)
        self._sample(self.second, sampler, lower, rows, noise, latent)

    def _sample(
        self, runs: GuiderRuns, sampler: Any, sigmas: Tensor, rows: slice, noise: Tensor, latent: Tensor
    ) -> Tensor:
        """One model's part of a run; returns the host's latent."""
        self.turns += runs is not self._latest
        self._latest = runs
        calls, start = self.timer.seconds, time.perf_counter()
        latent = runs.sample(sampler, sigmas, rows, noise, latent)
        if self.timer.ready:  # before, the calls' own time is not known
            rest = max(0.0, time.perf_counter() - start - (self.timer.seconds - calls))
            self.seconds += rest
            self.timer.seconds += rest
        return latent
