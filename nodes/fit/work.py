"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .. import LOGGER_NAME
from ..host import registries as _host
from ..text import duration, parse_steps, plot_sentence
from .existing import existing_in_words, existing_preset, save
from .request import FitRequest, FitResult, check_choice

if TYPE_CHECKING:
    from ...schedules.fitting.calibration import Calibration
    from ...schedules.presets.preset import Preset
    from ..host.experts import ExpertRuns, Subject
    from ..host.runs import GuiderRuns
    from ..host.samplers import FitSampler

__all__ = ["FitRequest", "FitResult", "fit"]


def fit(request: FitRequest) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new fit, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    from ...schedules.fitting.partial import partial_start
    from ...schedules.hosting.lists import usable
    from ..host.experts import subject_of
    from ..host.fit import latent_rows
    from ..presets.store import checked_path

    request = replace(request, name=request.name.strip())
    steps = parse_steps(request.steps)
    check_choice(request.sampler_name, request.choose_sampler)
    path = checked_path(request.name)
    model = request.guider.model_patcher
    latents = latent_rows(model, request.latent, request.noises)
    subject = subject_of(request.guider, request.low_guider, request.boundary, request.low_input)
    baselines = _host.host_baselines(model, request.sampler_name, steps)
    partial = partial_start(request.denoise, None, subject.identity.sigma_range, baselines, steps)
    shown = baselines
    if partial is not None:  # cut, a schedule is asked for other step counts, which another pack's may not have
        cuts = {name: partial.cut(made) for name, made in baselines.items()}
        shown = usable(cuts, steps, logging.getLogger(LOGGER_NAME))
        baselines = {name: baselines[name] for name in shown}
    if path.is_file() and not request.refit:
        preset = existing_preset(request, path, subject, tuple(latents.shape[1:]), steps)
        report = existing_in_words(request, preset, subject, steps)
    else:
        preset, report = _fit_anew(request, steps, latents, subject, baselines)
        save(path, preset)
    return _result(preset, steps, request.denoise, shown, report)


def _fit_anew(
    request: FitRequest, steps: tuple[int, ...], latents: Tensor, subject: Subject, baselines: Mapping[str, Any]
) -> tuple[Preset, str]:
    """The preset of a new fit, and the report."""
    from ..host.guard import check_fittable
    from ..host.identity import dtype_of
    from ..host.samplers import fit_sampler

    for guider in subject.guiders:
        check_fittable(guider)
    samplers = [fit_sampler(name) for name in request.samplers]
    runs = _runs(request, latents, subject)
    own_images = request.denoise < 1.0 and getattr(runs, "has_images", False)
    memory = _memory_in_words(request, steps, runs)
    calibration = _calibrated(request, steps, latents, samplers, subject, baselines, runs)
    made = replace(calibration.made, models=subject.made.models)
    notes = [sampler.note for sampler in samplers if sampler.note] + made.sentences() + _notes(request, subject)
    if own_images:
        notes.append("The runs started from the images of the latent.")
    preset = calibration.to_preset(
        model=subject.identity,
        guidance=subject.guidance,
        dtype=dtype_of(request.guider.model_patcher),
        seeds=tuple(range(request.calibration_seed, request.calibration_seed + request.noises)),
        made=made,
        name=request.name,
        notes="\n".join([*notes, *subject.switches(calibration.schedules)]),
        tool="Sigmasmith for ComfyUI",
    )
    return preset, _in_words(request, calibration, [*notes, *subject.costs(runs), memory])


def _notes(request: FitRequest, subject: Subject) -> list[str]:
    """What the report says of the inputs, and the preset keeps."""
    from ..host.fit import guidance_of
    from ..host.guidance import guidance_curve_of

    notes = []
    if "noise_mask" in request.latent:
        notes.append("The mask of the latent was not used: the schedule is fitted for whole images.")
    for guider in subject.guiders:
        if curve := guidance_curve_of(guider.model_patcher):
            notes.append(f"Fitted under a guidance curve: {curve.in_words(guidance_of(guider))}")
    return notes


def _runs(request: FitRequest, latents: Tensor, subject: Subject) -> GuiderRuns | ExpertRuns:
    """The host's runs on the noises and prompts of the request."""
    from ..host.experts import ExpertRuns
    from ..host.fit import noise_rows, prompt_rows
    from ..host.runs import GuiderRuns

    noise = noise_rows(tuple(latents.shape), request.calibration_seed)
    prompts = prompt_rows(1 + len(request.positives), request.noises, request.calibration_seed)
    runs = [
        GuiderRuns(guider, noise, latents, request.calibration_seed, request.positives, prompts)
        for guider in subject.guiders
    ]
    return runs[0] if subject.boundary is None else ExpertRuns(runs[0], runs[1], subject.boundary)


def _memory_in_words(request: FitRequest, steps: tuple[int, ...], runs: GuiderRuns | ExpertRuns) -> str:
    """How much memory the fit will take, said before it begins; a warning where there is less."""
    from ...schedules.fitting.effort import effort_named
    from ...schedules.fitting.memory import in_bytes, memory_of_fit
    from ...schedules.samplers.fitted import NAME
    from ..host.fit import free_memory

    shape, rows = tuple(runs.noise.shape[1:]), runs.noise.shape[0]
    # Two calls per step: how often a sampler calls the model is not known before it runs.
    kept = memory_of_fit(
        shape,
        rows,
        steps,
        effort_named(request.effort),
        samplers=len(request.samplers),
        calls_per_step=2,
        solver=NAME in request.samplers,
    )
    said = (
        f"Memory: the fit keeps at most {in_bytes(kept)} in the computer's memory ({rows} noises of "
        f"{'x'.join(map(str, shape))}) and runs up to {runs.chunk} of them through the model at a time."
    )
    _host.say(said, request.node_id)
    if kept > free_memory():
        _host.say(
            f"{in_bytes(free_memory())} of the computer's memory are free, fewer than the fit may keep "
            f"({in_bytes(kept)}); lower noises, the step counts or the size of the latent if it slows down",
            request.node_id,
            warning=True,
        )
    return said


def _calibrated(
    request: FitRequest,
    steps: tuple[int, ...],
    latents: Tensor,
    samplers: list[FitSampler],
    subject: Subject,
    baselines: Mapping[str, Any],
    runs: GuiderRuns | ExpertRuns,
) -> Calibration:
    from ...schedules.fitting.budget import OutOfTimeError
    from ...schedules.fitting.calibrate import calibrate
    from ...schedules.fitting.journal import prune_records
    from ..host.fit import progress_bar

    minutes, identity, key = request.minutes or None, subject.identity, _fit_key(request, subject, latents, steps)
    prune_records(_host.unfinished_folder(), keep=key)
    try:
        return calibrate(
            None,
            runs.noise,
            sigma_min=identity.sigma_min,
            sigma_max=identity.sigma_max,
            sampler=[sampler.function for sampler in samplers],
            steps=steps,
            flow=identity.flow,
            effort=request.effort,
            baselines=baselines,
            progress=progress_bar(runs, request.node_id, minutes),
            run=runs,
            minutes=minutes,
            journal=_host.unfinished_folder() / key,
            seed=request.calibration_seed,
            boundary=subject.boundary,
            denoise=request.denoise,
        )
    except OutOfTimeError:
        raise ValueError(
            f"minutes: {request.minutes:g} do not suffice for the reference solution and one run; "
            "give more, or lower noises or the size of the latent"
        ) from None


def _fit_key(request: FitRequest, subject: Subject, latents: Tensor, steps: tuple[int, ...]) -> str:
    """Name of the records of this very fit."""
    from ..host.fit import guidance_of
    from ..host.identity import conditioning_digest, model_identity

    facts = (
        [
            (
                model_identity(guider.model_patcher),
                conditioning_digest(guider.original_conds),
                type(guider).__name__,
                guidance_of(guider),
            )
            for guider in subject.guiders
        ],
        subject.boundary,
        [conditioning_digest(positive) for positive in request.positives],
        conditioning_digest([latents]),
        request.samplers,
        steps,
        request.noises,
        request.effort,
        request.calibration_seed,
        request.denoise,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _result(
    preset: Preset, steps: tuple[int, ...], denoise: float, baselines: Mapping[str, Any], report: str
) -> FitResult:
    from ...schedules.core.sigmas import steps_before_truncation
    from ...schedules.hosts.schedules import DEFAULT_HOST

    plots = []
    for count in steps:
        full = steps_before_truncation(count, denoise)
        errors = dict(preset.errors.get(full, {}))
        title = plot_sentence(count, preset.origin.get(full, "fitted"), errors)
        # The best first: the plot shows only so many, and of equal curves the better one.
        shown = sorted((name for name in baselines if name in errors), key=lambda name: errors[name])
        shown = shown or list(baselines)[:4]
        if DEFAULT_HOST in baselines and DEFAULT_HOST not in shown:  # what most people compare with
            shown.append(DEFAULT_HOST)
        plots.append((title, preset.sigmas(count, denoise), {name: baselines[name](count) for name in shown}))
    return FitResult(preset, preset.sigmas(steps[0], denoise), report, tuple(plots))


def _in_words(request: FitRequest, calibration: Calibration, notes: list[str]) -> str:
    heading = (
        f"Sigmasmith fitted {calibration.sampler} in {duration(calibration.seconds)}, "
        f"{calibration.nfe:.0f} model evaluations per sample, effort {request.effort}. "
        f"Saved as {request.name}."
    )
    at_denoise = "" if request.denoise > 0.9999 else f", denoise {request.denoise:g}"
    use = (
        "To use it: Sigmasmith Apply Schedule on the model, and in the KSampler the scheduler sigmasmith_optimal and "
        f"the sampler {calibration.sampler}{at_denoise}."
    )
    if request.low_guider is not None:
        use = (
            "To use it: Sigmasmith Apply Schedule on both models and two KSampler (Advanced) with the scheduler "
            f"sigmasmith_optimal, the sampler {calibration.sampler} and the same steps: end_at_step of the first and "
            "start_at_step of the second as said above."
        )
    return "\n".join([heading, "", str(calibration.report), *notes, "", use])
