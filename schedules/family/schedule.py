"""A schedule of the family for one model: sigmas, and coefficients for the fitted multistep sampler."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from ..core.noise_space import SigmaRange, told_shift
from ..core.sigmas import MAX_LIST, check_steps, finish_sigmas
from ..curves.powers import karras_sigmas
from ..samplers.by_name import own_sampler
from ..samplers.fitted import NAME, PresetCoefficients, sample_sigmasmith_multistep
from ..samplers.parameters import coefficients_of, dpmpp_2m_parameters, late_start
from .learned import LEAST_STEPS, MOST_STEPS, ORDER, VERSION, Family, load_family
from .placing import placed, whole_hundredths
from .typical import WIDE, typical_scale


@dataclass(frozen=True)
class FamilySchedule:
    """A schedule of the family.

    Args:
        sigmas: (steps + 1,) float32, CPU, strictly decreasing, from sigma_max to 0.
        coefficients: (steps, 1 + 4) float32 rows of `sigmasmith_multistep`; None for another sampler, and where the
            family has none (below 3 and above 30 steps).
        scale, stretch: where its levels were put.
        version: of the family.
        sampler: name of the sampler that it is for.
        numbers: along the family's directions; () for none.
        stock: the schedule whose sigmas these are, where the family has none that serve; "" where it has.
        served: whether the family has lists for this sampler at all.
    """

    sigmas: Tensor
    coefficients: Tensor | None
    scale: float
    stretch: float
    version: int
    sampler: str
    numbers: tuple[float, ...] = ()
    stock: str = ""
    served: bool = True

    def sampler_function(self) -> Callable[..., Any]:
        """A sampler of k-diffusion's signature that runs this schedule; the coefficients where there are any."""
        if self.coefficients is None:
            return own_sampler(self.sampler)
        steps = len(self.sigmas) - 1
        own = PresetCoefficients({steps: self.sigmas}, {steps: self.coefficients})
        return partial(sample_sigmasmith_multistep, coefficients=own)


def family_schedule(
    steps: int,
    *,
    sigma_min: float,
    sigma_max: float,
    flow: bool = False,
    guidance: float = 1.0,
    scale: float | None = None,
    stretch: float | None = None,
    sampler: str = NAME,
    version: int = VERSION,
    numbers: Sequence[float] = (),
) -> FamilySchedule:
    """The best that is known of a model before anything is fitted to it.

    Args:
        steps: solver intervals, 1 .. 10,000.
        sigma_min, sigma_max: noise std in the model's own sigma space, 0 < min < max (flow: max <= 1).
        flow: True for CONST / rectified-flow models.
        guidance: classifier-free guidance of the run; changes coefficients alone.
        scale, stretch: of the noise levels, 0.2 .. 60 and 0.5 .. 2, rounded to hundredths (scale in its logarithm);
            None for what serves models of this noise range. The quick race finds a model's own.
        sampler: a host's sampler name; `coefficients` are for "sigmasmith_multistep" alone, and on flow models its
            lists too: the others have `simple` there.
        version: of the family's data.
        numbers: standard deviations by which the model lies along the first directions in which models differ, as a
            fit finds them.
    Raises:
        ValueError: names the argument and its value.
    Source: own; docs/family.md says how it was learned, placing.py and samplers/parameters.py print the formulas.
    """
    if sampler != NAME:
        own_sampler(sampler)  # an unknown name is an error here, not in the run
    return untuned_schedule(
        steps,
        SigmaRange(sigma_min, sigma_max, flow),
        sampler,
        guidance=guidance,
        scale=scale,
        stretch=stretch,
        version=version,
        numbers=numbers,
    )


def untuned_schedule(
    steps: int,
    sigma_range: SigmaRange,
    sampler: str = NAME,
    *,
    guidance: float = 1.0,
    scale: float | None = None,
    stretch: float | None = None,
    version: int = VERSION,
    numbers: Sequence[float] = (),
) -> FamilySchedule:
    """As family_schedule, for a sampler of any name: hosts have those of other packs too."""
    check_steps(steps, most=MAX_LIST)
    family, flow = load_family(version), sigma_range.flow
    if not math.isfinite(guidance):
        raise ValueError(f"guidance must be finite, got {guidance}")
    usual = typical_scale(family, sigma_range)
    log_scale, stretch = whole_hundredths(
        usual[0] if scale is None else scale, usual[1] if stretch is None else stretch
    )
    family = family.moved(numbers, flow=flow)
    place = math.exp(log_scale), stretch, version, sampler, tuple(numbers)
    # On flow models others end up to twice as far under its list as under `simple` (benchmarks/family/under.py).
    served = sampler == NAME or not flow
    stock = _stock_name(steps, sigma_range) if served else "simple"
    if stock:
        return FamilySchedule(_stock_sigmas(steps, sigma_range), None, *place, stock, served)
    sigmas = family_sigmas(family, steps, log_scale, stretch, sigma_range)
    coefficients = family_coefficients(family, sigmas, guidance, flow=flow) if sampler == NAME else None
    return FamilySchedule(sigmas, coefficients, *place)


def family_sigmas(family: Family, steps: int, log_scale: float, stretch: float, sigma_range: SigmaRange) -> Tensor:
    """(steps + 1,) the family's list.

    Two steps take their one inner level between those of three. For more than 30, where DPM++ 2M runs them, scale and
    stretch count in wide ranges alone, which follow the curve of 30 down to sigma_min; the others have what suits that
    sampler best.
    """
    if steps == 1:
        return finish_sigmas([sigma_range.sigma_max])
    if _stock_name(steps, sigma_range):
        return _stock_sigmas(steps, sigma_range)
    levels = family.at(min(max(steps, LEAST_STEPS), MOST_STEPS), flow=sigma_range.flow).levels
    if steps < LEAST_STEPS:
        levels = levels.mean(keepdims=True)
    known = placed(levels, log_scale, stretch, sigma_range)
    if steps <= MOST_STEPS:
        return known
    listed = np.log(np.append(known[:-1].double().numpy(), sigma_range.sigma_min))
    positive = np.exp(PchipInterpolator(np.arange(MOST_STEPS + 1) / MOST_STEPS, listed)(np.arange(steps) / steps))
    positive[0] = sigma_range.sigma_max
    return finish_sigmas(np.minimum.accumulate(positive))


def _stock_name(steps: int, sigma_range: SigmaRange) -> str:
    """The stock schedule that stands in where the family does not serve; "" where it does."""
    if steps <= MOST_STEPS:
        return ""
    if sigma_range.flow:
        return "simple"
    return "karras" if sigma_range.sigma_max <= WIDE else ""


def _stock_sigmas(steps: int, sigma_range: SigmaRange) -> Tensor:
    """(steps + 1,) Karras et al.'s list (arXiv:2206.00364, eq. 5), for flow even timesteps with the model's shift."""
    if not sigma_range.flow:
        return karras_sigmas(steps, sigma_range.sigma_min, sigma_range.sigma_max)
    shift, ends = told_shift(sigma_range.sigma_min), np.array([sigma_range.sigma_max, sigma_range.sigma_min])
    first, last = ends / (shift - (shift - 1.0) * ends)
    time = np.linspace(first, max(last, first / steps), steps)
    sigmas = shift * time / (1.0 + (shift - 1.0) * time)
    return finish_sigmas(np.append(ends[0], sigmas[1:]))


def family_coefficients(
    family: Family, sigmas: Tensor, guidance: float, *, flow: bool, first: int = 0
) -> Tensor | None:
    """(steps - first, 1 + 4) float32 rows for a list of the family; None where it has none for its step count.

    Args:
        sigmas: (steps + 1,) the whole list.
        first: step with which the run starts; see late_start.
    """
    steps = len(sigmas) - 1
    if not LEAST_STEPS <= steps <= MOST_STEPS:
        return None
    parameters = family.at(steps, flow=flow).parameters_at(guidance)
    if first:
        parameters = late_start(parameters, first)
    run = sigmas[first:]
    return coefficients_of(dpmpp_2m_parameters(run, ORDER) + parameters, run)
