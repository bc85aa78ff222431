"""The sampler behind the panel's Fit: calibrates on the host's batch, saves the preset, samples with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..schedules.core.words import duration
from ..schedules.fitting.budget import OutOfTimeError
from ..schedules.fitting.calibrate import calibrate
from ..schedules.fitting.calibration import Calibration
from ..schedules.fitting.journal import Records
from ..schedules.presets.identity import ModelIdentity
from ..schedules.presets.preset import Preset
from . import infotext
from .answers import ScheduleAnswer
from .fit_inputs import FIT_SEED, FitInputs, default_name
from .host.digest import generation_digest
from .host.fit import FittableSampler, fit_sampler, progress_bar
from .host.folders import preset_store, unfinished_folder
from .host.identity import dtype_of, exact_range, guidance_of, loras_of, model_identity, model_range
from .host.runs import HostRuns, InterruptedException
from .host.samplers import check_fittable, create_sampler, eta_of, function_name, noise_sampler
from .host.schedules import baselines
from .registration import LABELS, OPTIMAL
from .state import Generation, current_pass


def prepare(p: Any, request: FitInputs) -> None:
    """Turn a generation of the host, before it begins, into a fit: one batch of noises at full size, nothing saved."""
    p.batch_size, p.n_iter = request.noises, 1
    p.seed, p.subseed_strength, p.seed_resize_from_w, p.seed_resize_from_h = FIT_SEED, 0, 0, 0
    p.steps, p.scheduler = request.steps[0], LABELS[OPTIMAL]
    p.enable_hr = False
    p.refiner_checkpoint = None
    p.do_not_save_samples = p.do_not_save_grid = True


def sample_sigmasmith_fit(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[..., None] | None = None,
    disable: bool | None = None,
) -> Tensor:
    """Fit a schedule for the sampler in the request; returns the batch sampled with it.

    Args:
        model: the host's CFGDenoiser; `model.p` is the generation.
        x: (B, ...) start state at sigmas[0].
    Raises:
        ValueError: names the panel's input to change.
    """
    under_way = current_pass()
    generation = under_way[0] if under_way else None
    if generation is not None and generation.problem is not None:
        raise generation.problem
    if generation is None or generation.fit is None:
        raise ValueError("Sigmasmith Fit runs from the Sigmasmith panel alone; choose another sampling method")
    runs, request = HostRuns(model, x, extra_args or {}, float(sigmas[0])), generation.fit
    try:
        return _fit(generation, request, runs, model.p)
    except InterruptedException:
        generation.say("The fit was interrupted; nothing is saved. The same fit started again goes on from there.")
        return runs.latest


def _fit(generation: Generation, request: FitInputs, runs: HostRuns, p: Any) -> Tensor:
    target = create_sampler(request.sampler, p)
    check_fittable(request.sampler, target)
    sampler = fit_sampler(target, eta_of(p))
    identity = model_identity(exact_range(model_range(target)), loras_of(p))
    name = request.name or default_name(identity.checkpoint, function_name(target))
    store = preset_store()
    store.check_free(name, replace=request.replace)
    generation.say(f"Fitting {request.sampler} for {', '.join(map(str, request.steps))} steps as {name}.")
    with _records(p, request, sampler, identity, generation.say) as records:
        calibration = _calibrated(generation, request, runs, target, sampler, identity, records)
        preset = calibration.to_preset(
            model=identity,
            guidance=guidance_of(p),
            dtype=dtype_of(),
            seeds=tuple(range(FIT_SEED, FIT_SEED + request.noises)),
            name=name,
            notes=sampler.note,
            tool="Sigmasmith for the WebUI",
        )
        store.save(name, preset, replace=request.replace)
        records.clear()  # not before the preset lies on the disk
    _report(generation, calibration, preset, sampler.note, request)
    return _sampled(request, runs, target, sampler, preset, p)


def _records(
    p: Any, request: FitInputs, sampler: FittableSampler, identity: ModelIdentity, say: Callable[[str], None]
) -> Records:
    """Where this very fit is recorded."""
    key = generation_digest(
        p, repr(identity), sampler.function.__name__, request.steps, request.noises, request.effort, p.width, p.height
    )
    return Records(unfinished_folder() / key, key, warn=say)


def _calibrated(
    generation: Generation,
    request: FitInputs,
    runs: HostRuns,
    target: Any,
    sampler: FittableSampler,
    identity: ModelIdentity,
    records: Records,
) -> Calibration:
    try:
        return calibrate(
            None,
            (runs.start / runs.sigma_max).float().cpu(),
            sigma_min=identity.sigma_min,
            sigma_max=identity.sigma_max,
            sampler=sampler.function,
            steps=request.steps,
            flow=identity.flow,
            effort=request.effort,
            baselines=baselines(target, request.steps),
            progress=progress_bar(runs.timer, request.minutes, generation.say),
            run=runs,
            minutes=request.minutes,
            journal=records,
        )
    except OutOfTimeError:
        raise ValueError(
            f"Minutes: {request.minutes:g} do not suffice for the reference solution and one run; give more, or lower "
            "Noises, width or height"
        ) from None


def _sampled(
    request: FitInputs,
    runs: HostRuns,
    target: Any,
    sampler: FittableSampler,
    preset: Preset,
    p: Any,
) -> Tensor:
    """The batch with the fitted schedule, its infotext that of an ordinary image with this preset."""
    sigmas = preset.sigmas(request.steps[0])
    run = sampler.function
    if sampler.stochastic:
        run = partial(run, noise_sampler=noise_sampler(target, runs.start, sigmas, p))
    p.sampler_name, p.steps = request.sampler, request.steps[0]
    answer = ScheduleAnswer(sigmas, sigmas, preset, "", fallback=False)
    p.extra_generation_params.update(infotext.written(answer, preset.model, hires=False, mode="steps"))
    return runs.end_state(run, sigmas, slice(0, runs.start.shape[0])).to(torch.float32)


def _report(generation: Generation, calibration: Calibration, preset: Preset, note: str, request: FitInputs) -> None:
    heading = (
        f"Fitted {request.sampler} in {duration(calibration.seconds)}, {calibration.nfe:.0f} model evaluations per "
        f"noise. Saved as {preset.name}. To use it: schedule type {LABELS[OPTIMAL]}."
    )
    generation.fitted = preset.name
    generation.say("\n".join(part for part in (heading, str(calibration.report), note) if part))
