"""The samplers and schedules of a comparison as the host runs them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...schedules.core.types import SamplerFunction
from ...schedules.fitting.self_test.runs import starter
from ...schedules.fitting.self_test.samplers import SamplerFor
from ...schedules.hosting.named_curves import CURVES
from ...schedules.hosts.schedules import published_lists
from ...schedules.samplers.brownian import BrownianPath, on_path
from ..host.noise_levels import model_sampling_of, noise_levels_of, sigma_range_of
from ..host.runs import GuiderRuns
from ..host.samplers import IGNORES_SCHEDULE, RENEWS_NOISE, fit_sampler
from ..host.schedulers import dropdown_names, dropdown_schedule, drops_penultimate
from ..host.tested import facts_of
from .grid import Choice


@dataclass(frozen=True)
class Contender:
    """A sampler to compare.

    Attributes:
        label: its name.
        for_rows: rows of the batch -> the sampler function, k-diffusion's signature.
        drops: whether the host's KSampler drops sigmas[-2] for it.
        noisy: whether it draws noise, from a fixed Brownian path of every sample.
        note: what to say about it.
        name: in the host's dropdown; "" of a connected one.
    """

    label: str
    for_rows: SamplerFor
    drops: bool = False
    noisy: bool = False
    note: str = ""
    name: str = ""


def named_runner(name: str, runs: GuiderRuns) -> Contender:
    """A sampler of the host's dropdown.

    Raises:
        ValueError: names the input `samplers`.
    """
    if name in IGNORES_SCHEDULE:
        raise ValueError(f"samplers: {name} chooses its noise levels itself, so no schedule makes a difference to it")
    if name in RENEWS_NOISE:
        raise ValueError(
            f"samplers: {name} replaces all of the noise in every step and comes to no end that its errors could be "
            "measured from; look at its images instead"
        )
    chosen = fit_sampler(name)
    note = f"{name} draws noise that cannot be given to it; it ran without noise (eta 0)." if chosen.note else ""
    noisy = "noise_sampler" in inspect.signature(chosen.function).parameters
    return Contender(name, _for_rows(chosen.function, noisy, runs), drops_penultimate(name), noisy, note, name)


def given_runner(label: str, sampler: Any, runs: GuiderRuns) -> Contender:
    """A connected SAMPLER, with the options it has.

    Args:
        label: the input's name.
    Raises:
        ValueError: names the input.
    """
    inner = getattr(sampler, "sampler_function", None)
    if inner is None:
        raise ValueError(f"{label}: samplers of this kind cannot be compared; connect one from a Sampler node")
    options = dict(getattr(sampler, "extra_options", {}))
    known = inspect.signature(inner).parameters
    eta = options.get("eta", known["eta"].default if "eta" in known else 1.0)
    noisy = "noise_sampler" in known and eta != 0.0

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **given: Any) -> Tensor:
        # A copy: uni_pc writes its own last sigma into the list.
        return inner(model, x, sigmas.clone(), extra_args=extra_args, **(given | options))

    return Contender(label, _for_rows(sample, noisy, runs), noisy=noisy)


def _for_rows(function: SamplerFunction, noisy: bool, runs: GuiderRuns) -> SamplerFor:
    """The sampler, its noise from one Brownian path per sample where it takes any: many steps then come to an end."""
    if not noisy:
        return starter(function)
    sigma_max = sigma_range_of(runs.guider.model_patcher).sigma_max
    shape, seed = tuple(runs.noise.shape[1:]), runs.seed
    return lambda rows: on_path(function, BrownianPath(shape, sigma_max, seed, rows))


def behaviour(runner: Contender, runs: GuiderRuns) -> str:
    """A sentence on what a comparison with this sampler cannot be trusted for, found by running it; or ""."""
    facts, name = facts_of(runs, runner.for_rows), runner.label
    if facts.broken:
        return f"{name} cannot be used: {facts.broken}."
    if facts.draws:
        return f"{name} draws noise that cannot be given to it, so its errors contain that noise."
    if facts.ignores and not facts.fault:
        return f"{name} chooses its noise levels itself, so no schedule makes a difference to it."
    if facts.remembers:
        return f"{name} gives another result each time: it keeps something from run to run."
    return f"With {name} the result of an image depends on the others in its batch." if facts.coupled else ""


def schedule_names(model: Any) -> list[str]:
    """Names that `schedules` takes beside curves: the dropdown's names, and the lists of the host's own nodes."""
    return [*dropdown_names(), *_fixed_lists(model)]


def _fixed_lists(model: Any) -> dict[str, Callable[[int], Tensor]]:
    levels = noise_levels_of(model)
    return published_lists(levels.sigma_range, levels.table)


def chosen_schedule(model: Any, choice: Choice, steps: int, drops: bool, sampler: str = "") -> Tensor:
    """(steps + 1,) sigmas of a name or of a curve with settings, as the KSampler runs them with a sampler of this name.

    Raises:
        ValueError: names the input `schedules`.
    """
    levels = sigma_range_of(model)
    if choice.settings or choice.name not in schedule_names(model):
        return CURVES[choice.name](steps, levels.sigma_min, levels.sigma_max, flow=levels.flow, **choice.settings)
    lists = _fixed_lists(model)
    make = lists.get(choice.name) or dropdown_schedule(model_sampling_of(model), choice.name, drops, sampler)
    try:
        return make(steps)
    except Exception as error:  # another pack's function may raise anything
        raise ValueError(f"schedules: {choice.name} gives no {steps} steps for this model: {error}") from error
