"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...schedules.core.sigmas import steps_before_truncation
from ...schedules.fitting.budget import OutOfTimeError
from ...schedules.fitting.calibrate import calibrate
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.journal import prune_records
from ...schedules.fitting.partial import partial_start
from ...schedules.hosting.lists import usable
from ...schedules.hosts.schedules import DEFAULT_HOST
from ...schedules.presets.preset import Preset
from ..host import folders
from ..host.experts import ExpertRuns, runs_of
from ..host.fit import progress_bar
from ..host.guard import check_fittable
from ..host.identity import conditioning_digest
from ..host.runs import GuiderRuns
from ..host.samplers import FitSampler, fit_sampler
from ..host.subject import Subject, subject_of
from ..names import LOGGER_NAME
from ..presets.store import checked_path
from ..text import parse_steps, plot_sentence
from .existing import existing_in_words, existing_preset, save
from .request import FitRequest, FitResult, check_fit_sampler
from .words import fit_in_words, notes_of, say_memory

__all__ = ["FitRequest", "FitResult", "fit"]


def fit(request: FitRequest) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new fit, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    request = replace(request, name=request.name.strip())
    steps = parse_steps(request.steps)
    check_fit_sampler(request.sampler_name, request.choose_sampler)
    path = checked_path(request.name)
    subject = subject_of(
        request.guiders,
        request.latent,
        request.noises,
        request.sampler_name,
        steps,
        request.boundary,
        request.low_input,
    )
    # The host cuts a run below denoise 1 out of a longer list; at denoise 1 both counts are one.
    full = {count: steps_before_truncation(count, request.denoise) for count in steps}
    baselines = subject.baselines
    partial = partial_start(request.denoise, None, subject.identity.sigma_range, baselines, steps)
    shown = baselines
    if partial is not None:  # cut, a schedule is asked for other step counts, which another pack's may not have
        cuts = {name: partial.cut(made) for name, made in baselines.items()}
        shown = usable(cuts, steps, logging.getLogger(LOGGER_NAME))
        baselines = {name: baselines[name] for name in shown}
    if path.is_file() and not request.refit:
        preset = existing_preset(request, path, subject, steps)
        report = existing_in_words(request, preset, subject, full)
    else:
        preset, report = _fit_anew(request, steps, subject, baselines)
        save(path, preset)
    return _result(preset, full, shown, report)


def _fit_anew(
    request: FitRequest, steps: tuple[int, ...], subject: Subject, baselines: Mapping[str, Any]
) -> tuple[Preset, str]:
    """The preset of a new fit, and the report."""
    for guider in request.guiders:
        check_fittable(guider)
    samplers = [fit_sampler(name) for name in request.samplers]
    runs = runs_of(request.guiders, subject.boundary, subject.latents, request.calibration_seed, request.positives)
    own_images = request.denoise < 1.0 and getattr(runs, "has_images", False)
    memory = say_memory(request, steps, runs)
    calibration = _calibrated(request, steps, samplers, subject, baselines, runs)
    notes = [sampler.note for sampler in samplers if sampler.note] + notes_of(request, subject)
    if own_images:
        notes.append("The runs started from the images of the latent.")
    preset = calibration.to_preset(
        model=subject.identity,
        guidance=subject.guidance,
        dtype=subject.dtype,
        seeds=tuple(range(request.calibration_seed, request.calibration_seed + request.noises)),
        name=request.name,
        notes="\n".join([*notes, *subject.switches(calibration.schedules)]),
        tool="Sigmasmith for ComfyUI",
    )
    costs = [runs.costs] if isinstance(runs, ExpertRuns) else []
    return preset, fit_in_words(request, calibration, [*notes, *costs, memory])


def _calibrated(
    request: FitRequest,
    steps: tuple[int, ...],
    samplers: list[FitSampler],
    subject: Subject,
    baselines: Mapping[str, Any],
    runs: GuiderRuns | ExpertRuns,
) -> Calibration:
    minutes, identity, key = request.minutes or None, subject.identity, _fit_key(request, subject, steps)
    progress = progress_bar(runs, request.node_id, minutes)
    prune_records(folders.unfinished_folder(), keep=key)
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
            progress=progress,
            run=runs,
            minutes=minutes,
            journal=folders.unfinished_folder() / key,
            seed=request.calibration_seed,
            boundary=subject.boundary,
            denoise=request.denoise,
            method=request.method,
        )
    except OutOfTimeError:
        raise ValueError(
            f"minutes: {request.minutes:g} do not suffice for the reference solution and one run; "
            "give more, or lower noises or the size of the latent"
        ) from None


def _fit_key(request: FitRequest, subject: Subject, steps: tuple[int, ...]) -> str:
    """Name of the records of this very fit."""
    facts = (
        [(model.identity, model.conditioning, model.guider, model.guidance) for model in subject.models],
        subject.boundary,
        [conditioning_digest(positive) for positive in request.positives],
        conditioning_digest([subject.latents]),
        request.samplers,
        steps,
        request.noises,
        request.effort,
        request.calibration_seed,
        request.denoise,
        request.method,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _result(preset: Preset, full: Mapping[int, int], baselines: Mapping[str, Any], report: str) -> FitResult:
    """The preset's own lists and plots of the step counts asked for; all of them are fitted."""
    lists = {count: preset.schedules[length][-(count + 1) :].clone() for count, length in full.items()}
    plots = []
    for count, length in full.items():
        errors = dict(preset.errors.get(length, {}))
        title = plot_sentence(count, preset.origin.get(length, "fitted"), errors)
        # The best first: the plot shows only so many, and of equal curves the better one.
        shown = sorted((name for name in baselines if name in errors), key=lambda name: errors[name])
        shown = shown or list(baselines)[:4]
        if DEFAULT_HOST in baselines and DEFAULT_HOST not in shown:  # what most people compare with
            shown.append(DEFAULT_HOST)
        plots.append((title, lists[count], {name: baselines[name](count) for name in shown}))
    return FitResult(preset, next(iter(lists.values())), report, tuple(plots))
