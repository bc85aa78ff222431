"""The sampler behind the panel's Fit: calibrates on the host's batch, saves the preset, samples with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.words import duration
from .. import infotext
from ..answers import Answer
from ..host import (
    digest as _host_digest,
)
from ..host import (
    fit as _host_fit,
)
from ..host import (
    identity as _host_identity,
)
from ..host import (
    registries as _host,
)
from ..host import (
    schedules as _host_schedules,
)
from ..registration import LABELS, OPTIMAL
from ..state import Generation, current_pass
from .request import FIT_SEED, FitRequest, default_name

if TYPE_CHECKING:
    from ...schedules.fitting.calibration import Calibration
    from ...schedules.presets.identity import ModelIdentity
    from ...schedules.presets.preset import Preset


def prepare(p: Any, request: FitRequest) -> None:
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
    found = current_pass()
    if found is not None and found[0].problem is not None:
        raise found[0].problem
    if found is None or found[0].fit is None:
        raise ValueError("Sigmasmith Fit runs from the Sigmasmith panel alone; choose another sampling method")
    generation, request = found[0], found[0].fit
    runs = _host_fit.HostRuns(
        model,
        x,
        extra_args or {},
        float(sigmas[0]),
        max_denoise=bool(_host.option("sgm_noise_multiplier", False)),
    )
    try:
        return _fit(generation, request, runs, model.p)
    except _host_fit.InterruptedException:
        _say(generation, "The fit was interrupted; nothing is saved. The same fit started again goes on from there.")
        return runs.latest


def _fit(generation: Generation, request: FitRequest, runs: _host_fit.HostRuns, p: Any) -> Tensor:
    target = _host.create_sampler(request.sampler, p)
    _host.check_fittable(request.sampler, target)
    sampler = _host_fit.fit_sampler(target, _host.eta_of(p))
    sigma_range = _host_identity.exact_range(_host.model_range(target))
    identity = _host_identity.model_identity(sigma_range, _host_identity.loras_of(p))
    name = request.name or default_name(identity.checkpoint, _host.function_name(target))
    store = _host.store()
    store.check_free(name, replace=request.replace)
    _say(generation, f"Fitting {request.sampler} for {', '.join(map(str, request.steps))} steps as {name}.")
    baselines = _host_schedules.baselines(target, request.steps)
    calibration = _calibrated(generation, request, runs, sampler, sigma_range, identity, baselines, p)
    preset = calibration.to_preset(
        model=identity,
        guidance=_host_identity.guidance_of(p),
        dtype=_host_identity.dtype_of(),
        seeds=tuple(range(FIT_SEED, FIT_SEED + request.noises)),
        name=name,
        notes=sampler.note,
        tool="Sigmasmith for the WebUI",
    )
    store.save(name, preset, replace=request.replace)
    _report(generation, calibration, preset, sampler.note, request)
    return _sampled(request, runs, target, sampler, preset, p)


def _calibrated(
    generation: Generation,
    request: FitRequest,
    runs: _host_fit.HostRuns,
    sampler: _host_fit.FitSampler,
    sigma_range: SigmaRange,
    identity: ModelIdentity,
    baselines: Mapping[str, Callable[[int], Tensor]],
    p: Any,
) -> Calibration:
    from ...schedules.fitting.budget import OutOfTimeError
    from ...schedules.fitting.calibrate import calibrate

    key = _host_digest.generation_digest(
        p, repr(identity), sampler.function.__name__, request.steps, request.noises, request.effort, p.width, p.height
    )
    try:
        return calibrate(
            None,
            (runs.start / runs.sigma_max).float().cpu(),
            sigma_min=sigma_range.sigma_min,
            sigma_max=sigma_range.sigma_max,
            sampler=sampler.function,
            steps=request.steps,
            flow=sigma_range.flow,
            effort=request.effort,
            baselines=baselines,
            progress=_host_fit.progress_bar(runs, request, partial(_say, generation)),
            run=runs,
            minutes=request.minutes,
            journal=_host.unfinished_folder() / key,
        )
    except OutOfTimeError:
        raise ValueError(
            f"Minutes: {request.minutes:g} do not suffice for the reference solution and one run; give more, or lower "
            "Noises, width or height"
        ) from None


def _sampled(
    request: FitRequest,
    runs: _host_fit.HostRuns,
    target: Any,
    sampler: _host_fit.FitSampler,
    preset: Preset,
    p: Any,
) -> Tensor:
    """The batch with the fitted schedule, its infotext that of an ordinary image with this preset."""
    sigmas = preset.sigmas(request.steps[0])
    run = sampler.function
    if sampler.stochastic:
        run = partial(run, noise_sampler=_host.noise_sampler(target, runs.start, sigmas, p))
    p.sampler_name, p.steps = request.sampler, request.steps[0]
    answer = Answer(sigmas, sigmas, preset, "", fallback=False)
    p.extra_generation_params.update(infotext.written(answer, preset.model, hires=False, mode="steps"))
    return runs.end_state(run, sigmas, slice(0, runs.start.shape[0])).to(torch.float32)


def _report(generation: Generation, calibration: Calibration, preset: Preset, note: str, request: FitRequest) -> None:
    heading = (
        f"Fitted {request.sampler} in {duration(calibration.seconds)}, {calibration.nfe:.0f} model evaluations per "
        f"noise. Saved as {preset.name}. To use it: schedule type {LABELS[OPTIMAL]}."
    )
    generation.fitted = preset.name
    _say(generation, "\n".join(part for part in (heading, str(calibration.report), note) if part))


def _say(generation: Generation, text: str) -> None:
    generation.said.append(text)
    _host.say(text)
