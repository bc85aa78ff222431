"""Two models in turn in the host: two `guider.sample` in a row, as two KSamplers (Advanced) run them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...schedules.core.run import ResumesHandover
from ...schedules.presets.made import HowMade
from ..text import duration
from . import registries as _host
from .runs import GuiderRuns

if TYPE_CHECKING:
    from ...schedules.presets.identity import ModelIdentity


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

    @property
    def preview(self) -> Tensor | None:
        """The first row of the latest model output."""
        return None if self._latest is None else self._latest.preview

    def __call__(self, sampler: Any, sigmas: Tensor, rows: slice) -> None:
        """Run one sampler function on these rows, once for each model that has a step; see Run."""
        from ...schedules.fitting.experts import parts

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


def check_pair(first: Any, second: Any, low_input: str) -> None:
    """Raise ValueError, which names the input, where two models cannot follow each other in one run.

    Args:
        first, second: the host's models (guider.model_patcher).
        low_input: name of the input that the second came from.
    """
    from .identity import model_identity

    one, two = model_identity(first), model_identity(second)
    if (one.flow, one.prediction, one.table_hash) != (two.flow, two.prediction, two.table_hash):
        shifts = f" (shift {one.shift:g} and {two.shift:g})" if one.shift and two.shift else ""
        raise ValueError(
            f"{low_input}: its noise levels are not those of the first model{shifts}. Put the same ModelSampling node "
            "with the same settings on both."
        )
    kinds = [type(model.get_model_object("latent_format")).__name__ for model in (first, second)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"{low_input}: it takes latents of another kind ({kinds[1]}) than the first model ({kinds[0]})"
        )


@dataclass(frozen=True)
class Subject:
    """What is fitted: one model, or two in turn.

    Attributes:
        guiders: one per model, the first for the high noise levels.
        identity: what the preset records. Of two models only what holds for both: the rest is left open, so that the
            preset serves both without a warning.
        guidance: the guidance, where it is one number and the same for all.
        boundary: sigma from which upwards the first of two models runs.
        made: names two models and their boundary; empty for one.
    """

    guiders: tuple[Any, ...]
    identity: ModelIdentity
    guidance: float | None
    boundary: float | None = None
    made: HowMade = field(default_factory=HowMade)

    def switches(self, schedules: Mapping[int, Tensor]) -> list[str]:
        """After which step the second model takes over, for every step count."""
        from ...schedules.fitting.experts import switch_sentences

        return [] if self.boundary is None else switch_sentences(schedules, self.boundary)

    def costs(self, runs: GuiderRuns | ExpertRuns) -> list[str]:
        """What the second model costs beside its calls."""
        if not isinstance(runs, ExpertRuns):
            return []
        return [
            f"The models took turns {runs.turns} times; loading them and all else beside their calls took "
            f"{duration(runs.seconds)}."
        ]


def subject_of(guider: Any, low_guider: Any, share: float, low_input: str = "model_low") -> Subject:
    """The subject of a fit.

    Args:
        low_guider: of the model that runs below the boundary, or None.
        share: of noise at the boundary.
        low_input: name of the input that low_guider came from.
    Raises:
        ValueError: names the input.
    """
    from .fit import guidance_of
    from .identity import model_identity

    first = model_identity(guider.model_patcher)
    if low_guider is None:
        return Subject((guider,), first, guidance_of(guider))
    check_pair(guider.model_patcher, low_guider.model_patcher, low_input)
    second = model_identity(low_guider.model_patcher)
    sigma = boundary_sigma(guider.model_patcher, share)
    same_guidance = guidance_of(guider) == guidance_of(low_guider)
    return Subject(
        (guider, low_guider),
        _of_both(first, second),
        guidance_of(guider) if same_guidance else None,
        sigma,
        HowMade(boundary=sigma, models=(first.checkpoint or "", second.checkpoint or "")),
    )


def _of_both(first: ModelIdentity, second: ModelIdentity) -> ModelIdentity:
    """What holds for both models."""
    names = ("parameters", "checkpoint", "checkpoint_hash", "patches")
    differing = [name for name in names if getattr(first, name) != getattr(second, name)]
    family = first.family if first.family == second.family else ""
    return replace(first, family=family, **dict.fromkeys(differing))


def boundary_sigma(model: Any, share: float) -> float:
    """The sigma at which the share of noise is `share`; on flow models they are the same.

    Raises:
        ValueError: names the input `boundary`.
    """
    from ...schedules.fitting.experts import check_boundary

    sigma_range = _host.sigma_range_of(model)
    try:
        return check_boundary(sigma_range.at_noise_fraction(share), sigma_range)
    except ValueError as error:
        raise ValueError(f"boundary: {share:g} is no share of noise inside the model's range: {error}") from None
