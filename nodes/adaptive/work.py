"""The adaptive schedule: a pilot run, its local error shared out evenly, and one look at whether that was worth it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...schedules.adaptive.equidistribution import frozen_sigmas, order_of
from ...schedules.adaptive.pilot import Pilot, run_pilot
from ...schedules.core.counted import CountedModel
from ...schedules.core.metrics import geometric_mean, sample_errors
from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.types import Baselines
from ...schedules.fitting.self_test.verdict import check_sampler_facts, named, sampler_on
from ...schedules.hosting.library_card import count_sentence
from ...schedules.hosting.lists import usable
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.file import save_preset
from ...schedules.presets.made import PILOT
from ...schedules.presets.preset import FITTED, Preset
from ..fit.existing import Existing
from ..fit.request import FitRequest, FitResult
from ..host import folders
from ..host.guard import check_fittable
from ..host.messages import NodePage
from ..host.progress import progress_bar
from ..host.runs import GuiderRuns
from ..host.samplers import check_sampler, draws_noise, fit_sampler
from ..host.subject import Subject, subject_of
from ..host.tested import facts_of, try_model
from ..presets.written import note_written
from ..text import parse_steps

# Frozen without a call of the model, so they are always in the preset: hosts ask for other counts than were typed.
EVERY_PRESET = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
# Schedules of the host's dropdown that it is compared with.
COMPARED = ("simple", "karras", "exponential", "beta")


@dataclass(frozen=True)
class Freeze:
    """The inputs of the Adaptive Schedule node.

    Args:
        base: those that it shares with the Fit nodes.
        pilot_calls: of the pilot run, for each noise.
        check: whether to run the schedule and some of the host's on the pilot's noises.
    """

    base: FitRequest
    pilot_calls: int
    check: bool


def freeze(request: Freeze) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new one, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    base = request.base
    steps = parse_steps(base.steps)
    check_sampler(base.sampler_name)
    subject = subject_of((base.guider,), base.latent, base.noises, base.sampler_name)
    hosts = {name: subject.baselines[name] for name in COMPARED if name in subject.baselines}
    baselines = usable(hosts, steps)
    path = folders.checked_path(base.name)
    if (existing := Existing.of(base, path, subject, steps)) is not None:
        preset, report = existing.preset, existing.in_words({count: count for count in steps})
    else:
        preset, report = _frozen(request, steps, subject, baselines)
        with folders.changing:
            save_preset(path, preset, overwrite=True)
        note_written(path)
    plots = [_plot(preset, count, baselines) for count in steps]
    return FitResult(preset, preset_run(preset, steps[0])[0], report, tuple(plots))


def _frozen(request: Freeze, steps: tuple[int, ...], subject: Subject, baselines: Baselines) -> tuple[Preset, str]:
    """The preset of a new pilot run, and the report."""
    base = request.base
    check_fittable(base.guider, "pilot run")
    order, sigma_range = order_of(base.sampler_name), subject.identity.sigma_range
    runs = GuiderRuns(base.guider, subject.latents, base.calibration_seed)
    checked = steps if request.check and can_be_checked(base.sampler_name) else ()
    tick = _progress(runs, request.pilot_calls + (1 + len(baselines)) * sum(checked), base.node_id)
    rows = slice(0, base.noises)
    name, function = base.sampler_name, fit_sampler(base.sampler_name).function
    facts = facts_of(runs, sampler_on(name, function, sigma_range, subject.latent_shape, base.calibration_seed))
    check_sampler_facts(name, facts)
    tests = try_model(runs, lambda _: tick())
    pilot = run_pilot(
        lambda sampler, *given: runs(_counted(sampler, tick), *given), rows, sigma_range, request.pilot_calls
    )
    counts = sorted({*EVERY_PRESET, *steps})
    schedules = {count: frozen_sigmas(pilot, order, count, sigma_range) for count in counts}
    errors = {}
    for count in checked:
        hosts = {name: made(count) for name, made in baselines.items()}
        with named(base.sampler_name, facts):
            errors[count] = _errors(base, runs, tick, pilot, {FITTED: schedules[count], **hosts})
    origin = {count: min(listed, key=lambda name: listed[name]) for count, listed in errors.items()}
    for count, name in origin.items():
        if name != FITTED:
            schedules[count] = baselines[name](count)
    preset = Preset(
        schedules=schedules,
        sampler=base.sampler_name,
        model=subject.identity,
        guidance=subject.guidance,
        latent_shape=subject.latent_shape,
        dtype=subject.dtype,
        effort=f"pilot of {request.pilot_calls} calls",
        seeds=tuple(range(base.calibration_seed, base.calibration_seed + base.noises)),
        origin=origin,
        errors=errors,
        made=replace(subject.made, method=PILOT),
        name=base.name,
        tool="Sigmasmith for ComfyUI",
    )
    said = in_words(request, preset, order, sigma_range, steps, checked)
    return preset, "\n".join([said, *tests])


def can_be_checked(sampler: str) -> bool:
    """Whether a run of the sampler ends where the noise-free pilot ends."""
    return not draws_noise(sampler)


def _errors(
    base: FitRequest,
    runs: GuiderRuns,
    tick: Callable[[], None],
    pilot: Pilot,
    schedules: Mapping[str, Tensor],
) -> dict[str, float]:
    """Geometric mean over the pilot's noises of the distance to its end states, by schedule."""
    function, errors = fit_sampler(base.sampler_name).function, {}
    for name, sigmas in schedules.items():
        ends: list[Tensor] = []

        def capture(*given: Any, ends: list[Tensor] = ends, **kwargs: Any) -> Tensor:
            ends.append(function(*given, **kwargs))
            return ends[0]

        runs(_counted(capture, tick), sigmas, slice(0, base.noises))
        error = geometric_mean(sample_errors(ends[0], pilot.end))
        if torch.isfinite(torch.tensor(error)):
            errors[name] = error
    return errors


def _counted(sampler: Callable[..., Tensor], tick: Callable[[], None]) -> Callable[..., Tensor]:
    """The sampler function with every model call counted."""

    def sample(model: Any, *given: Any, **kwargs: Any) -> Tensor:
        return sampler(CountedModel(model, after=lambda _: tick()), *given, **kwargs)

    return sample


def _progress(runs: GuiderRuns, total: int, node_id: Any) -> Callable[[], None]:
    shown, done = progress_bar(runs, NodePage(node_id), None), [0]

    def tick() -> None:
        done[0] += 1
        shown(min(done[0], total), total, "pilot run")

    return tick


def _plot(preset: Preset, count: int, baselines: Baselines) -> tuple[str, Tensor, Mapping[str, Tensor]]:
    return (
        count_sentence(preset, count),
        preset_run(preset, count)[0],
        {name: made(count) for name, made in baselines.items()},
    )


def in_words(
    request: Freeze,
    preset: Preset,
    order: int,
    sigma_range: SigmaRange,
    steps: tuple[int, ...],
    checked: tuple[int, ...],
) -> str:
    """The report."""
    base = request.base
    lines = [
        f"Pilot run: {request.pilot_calls} model calls on each of {base.noises} noises, sigma "
        f"{sigma_range.sigma_max:.4g} to {sigma_range.sigma_min:.4g}. Every step of these schedules has the same share "
        f"of the local error of a sampler of order {order}, such as {base.sampler_name}. Saved as {base.name}.",
        "",
    ]
    for count in steps:
        errors = preset.errors.get(count, {})
        listed = ", ".join(f"{name} {error:.3g}" for name, error in sorted(errors.items(), key=lambda pair: pair[1]))
        lines.append(count_sentence(preset, count) + ".")
        if listed:
            lines.append(f"  Distance to the end of the pilot run, on its own noises: {listed}.")
    if not checked:
        why = f"{base.sampler_name} draws noise, the pilot run does not" if request.check else "check is off"
        lines.append(f"No schedule was compared with the host's: {why}.")
    other = ", ".join(str(count) for count in preset.schedules if count not in steps)
    lines += [
        f"The preset also holds {other} steps" + (", not compared." if checked else "."),
        "",
        "To use it: Sigmasmith Apply Schedule on the model, and in the KSampler the scheduler sigmasmith_adaptive and "
        f"the sampler {base.sampler_name}. Sigmasmith Fit Schedule takes longer and finds better schedules.",
    ]
    return "\n".join(lines)
