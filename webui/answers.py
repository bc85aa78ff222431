"""The lists that our scheduler entries give: presets or curves, so that the host's slicing leaves the right part.

A host asks for a schedule of `n` steps and nothing else. In img2img and in the hires pass it then takes the end of the
list, and for some samplers it asks one step more and drops the last but one sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.core.sigmas import finish_sigmas
from ..schedules.family.schedule import FamilySchedule, untuned_schedule
from ..schedules.hosting.lists import at_sigma_max, before_drop
from ..schedules.hosting.named_curves import CURVES
from ..schedules.hosting.whole_runs import preset_run
from ..schedules.presets.identity import ModelIdentity
from ..schedules.presets.preset import DenoiseMode, Preset
from ..schedules.samplers.fitted import NAME
from .registration import COSINE, LABELS, OPTIMAL
from .samplers import MULTISTEP


@dataclass(frozen=True)
class Slicing:
    """How the host will cut the list.

    Args:
        total: steps of the schedule it asks for, without the one that is dropped again.
        runs: steps at its end that run.
        denoise: the host's 0..1 fraction.
        drops: whether it asks one step more and drops the last but one sigma.
    """

    total: int
    runs: int
    denoise: float = 1.0
    drops: bool = False

    @property
    def asked(self) -> int:
        """The step count that the host's call names."""
        return self.total + self.drops


@dataclass(frozen=True)
class ScheduleAnswer:
    """A schedule for the host.

    Attributes:
        sigmas: (total + 1,) as it is after the host has dropped what it drops; the last `runs` steps of it run.
        given: the list to return to the host.
        preset: whose schedule it is, None for a curve.
        source: in words: the preset's name and hash, or the curve.
        fallback: whether a preset was wanted and a curve stands in.
        learned: whether it is the family's own list.
    """

    sigmas: Tensor
    given: Tensor
    preset: Preset | None
    source: str
    fallback: bool
    learned: bool = False

    @property
    def measured(self) -> bool:
        """Whether runs chose the list: that of a preset which is no pasted list, or the family's."""
        return self.learned if self.preset is None else not self.preset.exact

    def tail(self, slicing: Slicing) -> Tensor:
        """The (runs + 1,) sigmas that run."""
        return self.sigmas[-(slicing.runs + 1) :]


def answer(
    name: str,
    slicing: Slicing,
    sigma_range: SigmaRange,
    *,
    preset: Preset | None = None,
    mode: DenoiseMode = "steps",
    sampler: str | None = None,
) -> ScheduleAnswer:
    """The answer of one of our scheduler entries.

    Args:
        name: OPTIMAL, COSINE or ADAPTIVE.
        preset: for OPTIMAL and ADAPTIVE; None where there is none.
        mode: below denoise 1, "steps" leaves the host's slicing, "noise_level" starts at the denoise's noise level.
        sampler: that runs, by its function's name; None where it is not known.
    Raises:
        ValueError: an exact preset lacks the step count.
    """
    used, family = None if name == COSINE else preset, None
    if used is not None:
        curve = used
        source = f"preset {used.name!r} ({used.short_hash})" if used.name else f"pasted preset ({used.short_hash})"
    elif name == COSINE:
        low, high = sigma_range.sigma_min, sigma_range.sigma_max
        curve = as_preset(CURVES["cosine"](slicing.total, low, high, flow=sigma_range.flow), sigma_range)
        source = "cosine curve"
    else:
        family = untuned_schedule(slicing.total, sigma_range, sampler if sampler and name == OPTIMAL else NAME)
        curve, source = as_preset(family.sigmas, sigma_range), _family_source(family)
    sigmas = at_sigma_max(sliced_list(curve, slicing, mode), sigma_range.sigma_max)
    given = before_drop(sigmas) if slicing.drops else sigmas
    learned = family is not None and not family.stock
    return ScheduleAnswer(sigmas, given, used, source, fallback=family is not None, learned=learned)


def sliced_list(preset: Preset, slicing: Slicing, mode: DenoiseMode) -> Tensor:
    """(total + 1,) list whose last `runs` steps are the ones to run.

    The list's own start is left where it would be cut elsewhere than it was fitted for: in noise-level mode, and of a
    preset for changed images, whose last steps alone were fitted. The sigmas before the tail then never run; they fall
    evenly in log sigma from sigma_max.
    """
    if slicing.denoise > 0.9999:
        return preset_run(preset, slicing.total)[0]
    if mode == "steps" and preset.denoise > 0.9999:
        return preset_run(preset, slicing.total)[0]
    tail = preset.sigmas(slicing.runs, slicing.denoise, mode=mode)
    unused = slicing.total - slicing.runs
    if unused <= 0:
        return tail
    top, start = preset.model.sigma_max, float(tail[0])
    head = np.exp(np.linspace(np.log(max(top, start * (1.0 + 1e-6 * (unused + 1)))), np.log(start), unused + 1))
    return torch.cat([finish_sigmas(head)[:-2], tail])


def as_preset(sigmas: Tensor, sigma_range: SigmaRange) -> Preset:
    """A list of ours at its one step count as a preset, so that it is sliced like one."""
    low, high, flow = sigma_range.sigma_min, sigma_range.sigma_max, sigma_range.flow
    model = ModelIdentity(sigma_min=low, sigma_max=high, flow=flow)
    return Preset(schedules={len(sigmas) - 1: sigmas}, sampler="", model=model)


def _family_source(family: FamilySchedule) -> str:
    if not family.stock:
        return "family's list"
    why = "has no gain at so many" if family.served else f"of flow models is for {MULTISTEP}"
    return f"schedule {family.stock}, for untuned the family {why}"


def in_words(name: str, schedule: ScheduleAnswer, slicing: Slicing) -> str:
    """One sentence: which schedule, how much of it runs, from which noise level."""
    tail = schedule.tail(slicing)
    start = f"from sigma {float(tail[0]):.4g}"
    if slicing.runs == slicing.total:
        return f"{LABELS[name]}: {slicing.runs} steps of the {schedule.source}, {start}."
    return f"{LABELS[name]}: the last {slicing.runs} of {slicing.total} steps of the {schedule.source}, {start}."
