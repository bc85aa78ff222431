"""A fit as it is asked for: what is sampled, what is searched, what it may cost. Where it records: journal.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.noise_space import SigmaRange
from ..core.sigmas import check_steps
from ..core.types import Baselines, Progress, SamplerFunction
from ..family.learned import Family
from ..presets.preset import MAX_SCHEDULES
from ..samplers.brownian import is_stochastic
from ..samplers.by_name import own_sampler
from ..samplers.fitted import NAME
from .effort import effort_named
from .experts import check_boundary
from .partial import PartialStart

METHODS = ("gauss_newton", "oss")
MAX_FREQUENCY_WEIGHT = 100.0


@dataclass(frozen=True)
class Sampling:
    """The sampling: in which noise range, by which samplers, in how many steps, from where.

    Args:
        sigma_range: of the model.
        samplers: sampler functions by name; of several (deterministic) ones the best is chosen.
        steps: step counts to solve, ascending, without repeats; see `step_counts`.
        start: of runs below denoise 1 (partial.py), or None for whole ones.
        boundary: of two models in turn (experts.py), the sigma from which upwards the first one runs, or None.
        seed: of the Brownian paths that stochastic samplers are fitted on.
        guidance: of the model's runs; the family's coefficients depend on it. 1 where it has none.
    Raises:
        ValueError: names the argument.
    """

    sigma_range: SigmaRange
    samplers: Mapping[str, SamplerFunction]
    steps: tuple[int, ...]
    start: PartialStart | None = None
    boundary: float | None = None
    seed: int = 0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        drawing = [name for name, function in self.samplers.items() if is_stochastic(function, name)]
        if not self.samplers:
            raise ValueError("sampler must name at least one sampler")
        if len(self.samplers) > 1 and drawing:
            raise ValueError(f"sampler: only deterministic ones can be chosen among, and {drawing[0]} may draw noise")
        if self.boundary is not None:
            check_boundary(self.boundary, self.sigma_range)
            if self.fits_coefficients:
                raise ValueError(f"sampler: {NAME} is fitted for one model; two in turn break its history")
        if self.start is not None and self.fits_coefficients:
            raise ValueError(f"denoise: {NAME} is fitted for whole runs; give denoise 1, or another sampler")
        if self.start is not None and self.boundary is not None:
            raise ValueError("denoise: a fit of two models in turn is for whole runs; give denoise 1")

    @property
    def fits_coefficients(self) -> bool:
        """Whether the fitted multistep sampler is among the samplers."""
        return NAME in self.samplers

    @property
    def draws_noise(self) -> bool:
        """Whether a sampler may draw noise."""
        return any(is_stochastic(function, name) for name, function in self.samplers.items())

    @property
    def window(self) -> SigmaRange:
        """The levels that run: below denoise 1 they end at the start."""
        return self.sigma_range if self.start is None else self.start.window


@dataclass(frozen=True)
class Searching:
    """The search, and what the result is held against.

    Args:
        baselines: name -> steps -> sigmas as they run, so below denoise 1 cut at the start (PartialStart.cut).
        effort: the budget of model evaluations, by name (effort.py).
        method: one of METHODS.
        family: where a fit starts from; None: the one that is shipped. Benchmarks give one that has not seen the model.
        frequency_weight: how many times more an error in the finest detail counts than one in flat areas; 1: all alike.
    Raises:
        ValueError: names the argument.
    """

    baselines: Baselines
    effort: str = "balanced"
    method: str = "gauss_newton"
    family: Family | None = None
    frequency_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        effort_named(self.effort)
        if not 0.0 < self.frequency_weight <= MAX_FREQUENCY_WEIGHT:
            raise ValueError(
                f"frequency_weight must be above 0 and at most {MAX_FREQUENCY_WEIGHT:g}, got {self.frequency_weight}"
            )


@dataclass(frozen=True)
class Cost:
    """Limits of a fit beside its effort, and whom it tells.

    Args:
        minutes: wall-clock limit, or None.
        calls: limit on model calls in all, rows counted, in place of the effort's; or None.
        progress: callable(done, total, message) after every model call; raising from it cancels the fit.
        afterwards: model calls for every row of the batch that the caller makes once the fit is done, within `minutes`.
    Raises:
        ValueError: names the argument.
    """

    minutes: float | None = None
    progress: Progress | None = None
    calls: int | None = None
    afterwards: float = 0.0

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0.0 < self.minutes < math.inf:
            raise ValueError(f"minutes must be above 0 and finite, got {self.minutes}")


def samplers_by_name(
    sampler: str | SamplerFunction | Sequence[str | SamplerFunction],
) -> dict[str, SamplerFunction]:
    """Sampler functions by name, from a name, a function or several of either; ValueError for an unknown name."""
    given = [sampler] if isinstance(sampler, str) or callable(sampler) else list(sampler)
    functions: dict[str, SamplerFunction] = {}
    for entry in dict.fromkeys(given):
        name = entry if isinstance(entry, str) else sampler_name(entry)
        # The fitted sampler runs the fit's own coefficients, a host's function of that name those of a preset.
        function = own_sampler(name) if isinstance(entry, str) or name == NAME else entry
        if name in functions and functions[name] is not function and name != NAME:
            raise ValueError(f"sampler: two functions are called {name}; give one of them another __name__")
        functions[name] = function
    return functions


def sampler_name(sampler: SamplerFunction) -> str:
    """Name of a sampler function: k-diffusion's sample_<name> without the prefix."""
    return getattr(sampler, "__name__", type(sampler).__name__).removeprefix("sample_")


def step_counts(steps: int | Sequence[int]) -> tuple[int, ...]:
    """Ascending step counts without repeats; ValueError where there are none or one is no step count."""
    given = (steps,) if isinstance(steps, int) else tuple(steps)
    if not given:
        raise ValueError("steps must name at least one step count")
    counts = tuple(sorted({check_steps(count) for count in given}))
    if len(counts) > MAX_SCHEDULES:
        raise ValueError(f"steps must name at most {MAX_SCHEDULES} step counts, got {len(counts)}")
    return counts
