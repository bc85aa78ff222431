"""The panel's fit of effort pilot: one fine run, whose error every step of a schedule then has the same share of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..schedules.adaptive.equidistribution import frozen_sigmas, order_of
from ..schedules.adaptive.pilot import Pilot, run_pilot
from ..schedules.core.metrics import geometric_mean, sample_errors
from ..schedules.hosting.library_card import count_sentence
from ..schedules.presets.made import PILOT, HowMade
from ..schedules.presets.preset import FITTED, Preset
from .fit_inputs import FIT_SEED, PILOT_CALLS, PILOT_COMPARED, FitInputs, default_name
from .host.fit import FittableSampler, fit_sampler, progress_bar
from .host.folders import preset_store
from .host.identity import dtype_of, exact_range, guidance_of, loras_of, model_identity, model_range
from .host.runs import HostRuns
from .host.samplers import check_fittable, create_sampler, eta_of, function_name
from .host.schedules import baselines
from .log import say
from .registration import ADAPTIVE, LABELS
from .samplers import MULTISTEP
from .state import Fitted, Generation

# Frozen without a call of the model, so they are always in the preset: other counts are asked for than were typed.
EVERY_PRESET = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)


def sample_pilot(generation: Generation, request: FitInputs, runs: HostRuns, p: Any) -> Tensor:
    """Freeze the schedules of a pilot run and save them.

    Returns:
        (B, ...) the batch sampled with the first of the step counts.
    Raises:
        ValueError: names the panel's input to change.
    """
    if request.denoise < 1.0 or request.prompts or request.choose or request.sampler == MULTISTEP:
        raise ValueError(
            "Effort: a pilot is for whole images of one prompt and for one sampler with no coefficients; choose fast"
        )
    target = create_sampler(request.sampler, p)
    check_fittable(request.sampler, target)
    sampler, order = fit_sampler(target, eta_of(p)), order_of(function_name(target))
    identity = model_identity(exact_range(model_range(target)), loras_of(p))
    name = request.name or default_name(identity.checkpoint, f"{function_name(target)} adaptive")
    store, rows = preset_store(), slice(0, runs.start.shape[0])
    store.check_free(name, replace=request.replace)
    _show_progress(runs, request)
    pilot = run_pilot(runs, rows, identity.sigma_range, PILOT_CALLS)
    counts = sorted({*EVERY_PRESET, *request.steps})
    schedules = {count: frozen_sigmas(pilot, order, count, identity.sigma_range) for count in counts}
    hosts = baselines(target, request.steps, p.width, p.height)
    rivals = {key: hosts[key] for key in PILOT_COMPARED if key in hosts}
    errors: dict[int, dict[str, float]] = {}
    for count in () if sampler.stochastic else request.steps:
        listed = {FITTED: schedules[count], **{key: made(count) for key, made in rivals.items()}}
        errors[count] = _errors(runs, sampler, pilot, listed, rows)
    origin = {count: min(listed, key=lambda key: listed[key]) for count, listed in errors.items()}
    schedules |= {count: rivals[key](count) for count, key in origin.items() if key != FITTED}
    preset = Preset(
        schedules=schedules,
        sampler=function_name(target),
        model=identity,
        guidance=guidance_of(p),
        latent_shape=tuple(runs.start.shape[1:]),
        dtype=dtype_of(),
        effort=f"pilot of {PILOT_CALLS} calls",
        seeds=tuple(range(FIT_SEED, FIT_SEED + request.noises)),
        origin=origin,
        errors=errors,
        made=HowMade(method=PILOT),
        name=name,
        tool="Sigmasmith for the WebUI",
    )
    store.save(name, preset, replace=request.replace)
    generation.fitted = Fitted(name, request.sampler, request.steps, LABELS[ADAPTIVE])
    generation.say(_in_words(request, preset, order, sampler.stochastic))
    p.sampler_name = request.sampler
    noise = {"noise_sampler": lambda *_: p.rng.next()} if sampler.stochastic else {}
    sigmas = schedules[request.steps[0]]
    return runs.end_state(lambda *given, **kwargs: sampler.function(*given, **kwargs, **noise), sigmas, rows)


def _show_progress(runs: HostRuns, request: FitInputs) -> None:
    """Let the host's bar follow the model calls."""
    bar, done = progress_bar(runs.timer, None, say, "The pilot run"), 0
    total = PILOT_CALLS + (2 + len(PILOT_COMPARED)) * sum(request.steps)

    def called() -> None:
        nonlocal done
        done += 1
        bar(min(done, total), total, "pilot run")

    runs.called = called


def _errors(
    runs: HostRuns, sampler: FittableSampler, pilot: Pilot, schedules: dict[str, Tensor], rows: slice
) -> dict[str, float]:
    """Geometric mean over the noises of the distance to the pilot's end states, by schedule."""
    ends = {key: runs.end_state(sampler.function, sigmas, rows) for key, sigmas in schedules.items()}
    errors = {key: geometric_mean(sample_errors(end.float().cpu(), pilot.end.cpu())) for key, end in ends.items()}
    return {key: error for key, error in errors.items() if torch.isfinite(torch.tensor(error))}


def _in_words(request: FitInputs, preset: Preset, order: int, stochastic: bool) -> str:
    lines = [
        f"Pilot run: {PILOT_CALLS} model calls on each of {request.noises} noises. Every step has the same share of "
        f"the local error of a sampler of order {order}, such as {request.sampler}. Saved as {preset.name}. To use it: "
        f"schedule type {LABELS[ADAPTIVE]}, sampling method {request.sampler}. The other efforts take longer and find "
        "better schedules."
    ]
    for count in request.steps:
        errors = preset.errors.get(count, {})
        lines.append(count_sentence(preset, count) + ".")
        lines += [f"  {key:<12} {error:.4g}" for key, error in sorted(errors.items(), key=lambda pair: pair[1])]
    if stochastic:
        lines.append(f"Not compared with the host's: {request.sampler} draws noise, the pilot run does not.")
    return "\n".join(lines)
