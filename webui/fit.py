"""The panel's Fit: calibrates on the host's batch, saves the preset, samples with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.core.words import duration
from ..schedules.fitting.budget import OutOfTimeError
from ..schedules.fitting.calibrate import calibrate
from ..schedules.fitting.calibration import Calibration
from ..schedules.fitting.journal import Records
from ..schedules.fitting.partial import PartialStart, partial_start
from ..schedules.hosts.schedules import DEFAULT_HOST, host_schedules
from ..schedules.presets.identity import ModelIdentity
from ..schedules.presets.preset import Preset
from ..schedules.samplers.fitted import PresetCoefficients, sample_sigmasmith_multistep
from . import infotext
from .answers import Slicing, answer
from .fit_inputs import CHOICE, FIT_SEED, FitInputs, default_name
from .host.digest import generation_digest
from .host.fit import FittableSampler, fit_sampler, progress_bar
from .host.folders import preset_store, unfinished_folder
from .host.identity import dtype_of, exact_range, guidance_of, loras_of, model_identity, model_range
from .host.runs import HostRuns
from .host.samplers import check_fittable, create_sampler, eta_of, function_name, named_by_function, noise_sampler
from .host.schedules import baselines
from .host.slicing import is_whole, slicing_for, starts_from_image
from .log import say
from .registration import LABELS, OPTIMAL
from .samplers import MULTISTEP
from .state import Fitted, Generation

_IMAGE_NOTE = "The runs started from the image of the page."


def prepare_fit(p: Any, request: FitInputs) -> FitInputs:
    """The request with what only the generation knows: the denoise of img2img, and how many steps of each count run."""
    if not starts_from_image(p):
        return request
    strength = float(p.denoising_strength)
    if is_whole(strength):
        return request
    runs = tuple(slicing_for(count, strength).runs for count in request.steps)
    if min(runs) < 1:
        raise ValueError(f"Denoising strength: at {strength:g} nothing runs of {min(request.steps)} steps")
    return replace(request, denoise=strength, runs=runs)


def sample_fit(generation: Generation, request: FitInputs, runs: HostRuns, p: Any) -> Tensor:
    """Fit a schedule for the sampler in the request, and save it.

    Returns:
        (B, ...) the batch sampled with it.
    Raises:
        ValueError: names the panel's input to change.
    """
    targets = _targets(request, p)
    samplers = {label: fit_sampler(target, eta_of(p)) for label, target in targets.items()}
    target = targets[request.sampler]
    if request.choose and samplers[request.sampler].stochastic:
        raise ValueError(f"Choose the sampling method: {request.sampler} draws noise; turn it off, or take another")
    identity = model_identity(exact_range(model_range(target)), loras_of(p))
    asked = "chosen sampler" if request.choose else function_name(target)
    name = request.name or default_name(identity.checkpoint, asked, request.denoise)
    store = preset_store()
    store.check_free(name, replace=request.replace)
    start = _start(request, runs, identity.sigma_range)
    say(f"Fitting {', '.join(targets)} for {', '.join(map(str, request.steps))} steps as {name}.")
    images = None if start is None else runs.start
    with _records(p, request, list(samplers.values()), identity, images, say) as records:
        calibration = _calibrated(request, runs, target, list(samplers.values()), identity, start, p, records)
        chosen = next(label for label, made in targets.items() if function_name(made) == calibration.sampler)
        notes = "\n".join(_notes(request, samplers[chosen], start, generation.choice.guidance))
        preset = calibration.to_preset(
            model=identity,
            guidance=guidance_of(p),
            dtype=dtype_of(),
            seeds=tuple(range(FIT_SEED, FIT_SEED + request.noises)),
            name=name,
            notes=notes,
            tool="Sigmasmith for the WebUI",
        )
        store.save(name, preset, replace=request.replace)
        records.clear()  # not before the preset lies on the disk
    request = replace(request, sampler=chosen)
    _report(generation, calibration, preset, notes, request)
    return _sampled(generation, request, runs, targets[chosen], samplers[chosen], preset, p)


def _targets(request: FitInputs, p: Any) -> dict[str, Any]:
    """The samplers to fit for, by their names in the dropdown: the one asked for, and those to choose among."""
    labels = [request.sampler, *(named_by_function(CHOICE) if request.choose else [])]
    targets = {label: create_sampler(label, p) for label in labels}
    for label, target in targets.items():
        check_fittable(label, target)
    return targets


def _notes(request: FitInputs, sampler: FittableSampler, start: PartialStart | None, guidance: str) -> list[str]:
    notes = [sampler.note, _IMAGE_NOTE if start is not None else ""]
    notes.append(f"Fitted on {len(request.prompts) + 1} prompts." if request.prompts else "")
    notes.append(f"Guidance: {guidance}." if guidance else "")
    return [note for note in notes if note]


def _start(request: FitInputs, runs: HostRuns, sigma_range: SigmaRange) -> PartialStart | None:
    """Where the runs below denoise 1 start, None for whole ones; the runs then start there.

    It is where the schedule Simple does, as in ComfyUI, so that a preset means the same in every host.
    """
    if request.denoise >= 1.0:
        return None
    if request.sampler == MULTISTEP:
        raise ValueError(f"Sampling method: {MULTISTEP} is fitted for whole images, in txt2img; choose another here")
    if runs.denoiser.mask is not None:
        raise ValueError("Inpainting: a schedule is fitted on whole images; fit in the tab img2img, and use it here")
    default = host_schedules(sigma_range)[DEFAULT_HOST]
    start = partial_start(request.denoise, None, sigma_range, default, request.running)
    if start is not None:
        runs.start_from(runs.denoiser.init_latent, start.sigma)
    return start


def _records(
    p: Any,
    request: FitInputs,
    samplers: list[FittableSampler],
    identity: ModelIdentity,
    images: Tensor | None,
    say: Callable[[str], None],
) -> Records:
    """Where this very fit is recorded; `images` are the start states of a fit below denoise 1."""
    key = generation_digest(
        p,
        repr(identity),
        [sampler.function.__name__ for sampler in samplers],
        request.steps,
        request.noises,
        request.effort,
        p.width,
        p.height,
        request.denoise,
        images,
    )
    return Records(unfinished_folder() / key, key, warn=say)


def _calibrated(
    request: FitInputs,
    runs: HostRuns,
    target: Any,
    samplers: list[FittableSampler],
    identity: ModelIdentity,
    start: PartialStart | None,
    p: Any,
    records: Records,
) -> Calibration:
    try:
        return calibrate(
            None,
            (runs.start / runs.sigma_max).float().cpu(),
            sigma_min=identity.sigma_min,
            sigma_max=identity.sigma_max,
            sampler=[sampler.function for sampler in samplers],
            steps=request.running,
            flow=identity.flow,
            effort=request.effort,
            baselines=baselines(target, request.running, p.width, p.height),
            progress=progress_bar(runs.timer, request.minutes, say),
            run=runs,
            minutes=request.minutes,
            afterwards=request.running[0],  # the pictures
            journal=records,
            denoise=request.denoise,
            start_sigma=None if start is None else start.sigma,
            guidance=guidance_of(p) or 1.0,
        )
    except OutOfTimeError:
        fewer = "Noises, " if request.could_be_fewer else ""
        raise ValueError(
            f"Minutes: {request.minutes:g} do not suffice for the reference solution and one run; give more, or lower "
            f"{fewer}width or height"
        ) from None


def _sampled(
    generation: Generation,
    request: FitInputs,
    runs: HostRuns,
    target: Any,
    sampler: FittableSampler,
    preset: Preset,
    p: Any,
) -> Tensor:
    """The batch with the fitted schedule, its infotext that of an ordinary image with this preset."""
    slicing = Slicing(request.steps[0], request.running[0], request.denoise)
    result = answer(OPTIMAL, slicing, preset.model.sigma_range, preset=preset)
    sigmas, run = result.tail(slicing), sampler.function
    if sampler.stochastic:
        run = partial(run, noise_sampler=noise_sampler(target, runs.start, sigmas, p))
    if request.sampler == MULTISTEP:
        run = partial(
            sample_sigmasmith_multistep, coefficients=PresetCoefficients(preset.schedules, preset.coefficients)
        )
    p.sampler_name, p.steps = request.sampler, request.steps[0]
    p.extra_generation_params.update(infotext.written(result, preset.model, hires=False, mode="steps"))
    return runs.end_state(run, sigmas, slice(0, runs.start.shape[0])).to(torch.float32)


def _report(generation: Generation, calibration: Calibration, preset: Preset, note: str, request: FitInputs) -> None:
    at = "" if request.denoise >= 1.0 else f", denoising strength {request.denoise:g}"
    heading = (
        f"Fitted {request.sampler} in {duration(calibration.seconds)}, {calibration.nfe:.0f} model evaluations per "
        f"noise. Saved as {preset.name}. To use it: schedule type {LABELS[OPTIMAL]}, sampling method "
        f"{request.sampler}{at}."
    )
    generation.fitted = Fitted(preset.name, request.sampler, request.steps)
    generation.say("\n".join(part for part in (heading, str(calibration.report), note) if part))
