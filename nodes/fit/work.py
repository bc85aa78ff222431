"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

from ...schedules.core.run import StartsFromImages
from ...schedules.core.sigmas import steps_before_truncation
from ...schedules.core.types import Baselines
from ...schedules.fitting.budget import OutOfTimeError
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.journal import prune_records
from ...schedules.fitting.partial import PartialStart, partial_start
from ...schedules.fitting.settings import Cost, Records, Sampling, Searching, samplers_by_name, step_counts
from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.lists import usable
from ...schedules.presets.file import save_preset
from ...schedules.presets.preset import Preset
from ..host import folders
from ..host.experts import ExpertRuns
from ..host.fit import progress_bar
from ..host.guard import check_fittable
from ..host.identity import conditioning_digest
from ..host.runs import GuiderRuns
from ..host.samplers import FitSampler, check_fit_sampler, fit_sampler
from ..host.subject import Subject, subject_of
from ..presets.store import checked_path
from ..text import parse_steps
from .existing import existing_in_words, existing_preset, note_own
from .request import FitRequest, FitResult
from .words import fit_in_words, notes_of, result_of, say_memory

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
    start = partial_start(request.denoise, None, subject.identity.sigma_range, baselines, steps)
    if start is not None:  # cut, a schedule is asked for other step counts, which another pack's may not have
        baselines = usable(start.cut_all(baselines), steps, logging.getLogger(LOGGER_NAME))
    if path.is_file() and not request.refit:
        preset = existing_preset(request, path, subject, steps)
        report = existing_in_words(request, preset, subject, full)
    else:
        preset, report = _fit_anew(request, path, steps, subject, start, baselines)
    return result_of(preset, full, baselines, report)


def _fit_anew(
    request: FitRequest,
    path: Path,
    steps: tuple[int, ...],
    subject: Subject,
    start: PartialStart | None,
    baselines: Baselines,
) -> tuple[Preset, str]:
    """The preset of a new fit, saved, and the report."""
    key = _fit_key(request, subject, steps)
    for guider in request.guiders:
        check_fittable(guider)
    samplers = [fit_sampler(name) for name in request.samplers]
    each = [
        GuiderRuns(guider, subject.latents, request.calibration_seed, request.positives) for guider in request.guiders
    ]
    runs = each[0] if subject.boundary is None else ExpertRuns(each[0], each[1], subject.boundary)
    notes = [sampler.note for sampler in samplers if sampler.note] + notes_of(request, subject)
    if start is not None and isinstance(runs, StartsFromImages) and runs.has_images:
        notes.append("The runs started from the images of the latent.")
    memory = say_memory(request, steps, runs)
    calibration = _calibrated(request, samplers, subject, start, baselines, runs, key)
    made = replace(calibration.made, models=subject.made.models)
    notes = made.sentences() + notes
    preset = calibration.to_preset(
        model=subject.identity,
        guidance=subject.guidance,
        dtype=subject.dtype,
        made=made,
        seeds=tuple(range(request.calibration_seed, request.calibration_seed + request.noises)),
        name=request.name,
        notes="\n".join([*notes, *subject.switches(calibration.schedules)]),
        tool="Sigmasmith for ComfyUI",
    )
    save_preset(path, preset, overwrite=True)
    note_own(path)
    costs = [runs.costs] if isinstance(runs, ExpertRuns) else []
    return preset, fit_in_words(request, calibration, [*notes, *costs, memory])


def _calibrated(
    request: FitRequest,
    samplers: list[FitSampler],
    subject: Subject,
    start: PartialStart | None,
    baselines: Baselines,
    runs: GuiderRuns | ExpertRuns,
    key: str,
) -> Calibration:
    minutes = request.minutes or None
    prune_records(folders.unfinished_folder(), keep=key)
    sampling = Sampling(
        subject.identity.sigma_range,
        samplers_by_name([sampler.function for sampler in samplers]),
        step_counts(parse_steps(request.steps)),
        start,
        subject.boundary,
        request.calibration_seed,
    )
    try:
        return solve_schedules(
            runs,
            runs.noise,
            sampling,
            Searching(baselines, request.effort, request.method),
            Cost(minutes, progress_bar(runs, request.node_id, minutes)),
            Records(folders.unfinished_folder() / key),
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
