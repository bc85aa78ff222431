"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...schedules.core.run import StartsFromImages
from ...schedules.core.sigmas import steps_before_truncation
from ...schedules.core.types import Baselines, Progress
from ...schedules.core.words import Phrase
from ...schedules.fitting.budget import OutOfTimeError
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.effort import Effort, effort_for
from ...schedules.fitting.experts import switch_sentences
from ...schedules.fitting.journal import Records
from ...schedules.fitting.memory import FitSize
from ...schedules.fitting.partial import PartialStart, partial_start
from ...schedules.fitting.record_folder import prune_records
from ...schedules.fitting.report import StepReport
from ...schedules.fitting.settings import Cost, Sampling, Searching, samplers_by_name, step_counts
from ...schedules.hosting.lists import usable
from ...schedules.hosts.schedules import DEFAULT_HOST
from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import save_preset
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import to_share_code
from ...schedules.samplers.fitted import NAME
from ..edits import derived_name
from ..host import folders, messages
from ..host.changes import digest
from ..host.experts import ExpertRuns
from ..host.guard import check_fittable, suspects_in_words
from ..host.progress import only_within, progress_bar
from ..host.runs import GuiderRuns
from ..host.samplers import FitSampler, check_fit_sampler, fit_sampler
from ..host.subject import Subject, subject_of
from ..pictures.beside import Beside
from ..presets.written import note_written
from ..text import parse_steps
from .before import Counting, before_of, calls_of, seen
from .existing import existing_in_words, existing_preset
from .request import FitRequest, FitResult
from .words import fit_in_words, notes_of, result_of, say_memory

__all__ = ["FitRequest", "FitResult", "fit"]


def fit(request: FitRequest) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new fit, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    steps = parse_steps(request.steps)
    noises = _effort(request, steps).rows or request.noises
    request = replace(request, name=request.name.strip(), noises=noises)
    check_fit_sampler(request.sampler_name, request.choose_sampler)
    subject = subject_of(
        request.guiders, request.latent, request.noises, request.sampler_name, request.boundary, request.low_input
    )
    if subject.identity.checkpoint is None and request.checkpoint:
        subject = replace(subject, identity=replace(subject.identity, checkpoint=request.checkpoint))
    request = replace(request, name=request.name or _derived(request, subject))
    path, preset, edits = existing_preset(request, subject, steps)
    hosts, sigma_range = subject.baselines, subject.identity.sigma_range
    start = partial_start(request.denoise, None, sigma_range, hosts.get(DEFAULT_HOST), steps)
    # The host cuts a run below denoise 1 out of a longer list; at denoise 1 both counts are one.
    full = {count: steps_before_truncation(count, request.denoise) for count in steps}
    baselines = usable(hosts if start is None else start.cut_all(hosts), steps)
    if preset is not None:
        for sentence in edits:
            messages.say(sentence, request.node_id, quiet=True)
        lists = {count: preset.sigmas(full[count]) for count in steps}
        report = existing_in_words(request, preset, full, switch_sentences(lists, subject.boundary), edits)
        return result_of(preset, full, baselines, report, notes=edits)
    preset, report, rows, beside = _fit_anew(request, path, steps, subject, start, baselines)
    return replace(result_of(preset, full, baselines, report, rows), beside=beside)


def _fit_anew(
    request: FitRequest,
    path: Path,
    steps: tuple[int, ...],
    subject: Subject,
    start: PartialStart | None,
    baselines: Baselines,
) -> tuple[Preset, str, Mapping[int, StepReport], Beside | None]:
    """The preset of a new fit, saved, the report in words and by step count, and what is seen of it."""
    samplers = [fit_sampler(name) for name in request.samplers]
    runs = _runs_of(request, subject)
    before = before_of(request.in_use, request.sampler_name, steps, start, runs.guider.model_patcher)
    counting = Counting(_progress(request, runs), runs.timer, calls_of(before, request.noises))
    cost = Cost(request.minutes or None if request.starts_over_limit else None, counting)
    notes = [sampler.note for sampler in samplers if sampler.note] + notes_of(request, subject)
    if start is not None and isinstance(runs, StartsFromImages) and runs.has_images:
        notes.append("The runs started from the images of the latent.")
    key = _fit_key(request, subject, steps)
    memory = _say_sizes(request, steps, subject, runs)
    with _records(key, request.node_id) as records:
        with _told_if_interrupted(counting, request.node_id):
            calibration = _calibrated(request, samplers, steps, subject, start, baselines, runs, cost, records)
        solved = calibration.made
        more = {**solved.more, **request.facts}
        made = replace(subject.made, method=solved.method, chosen_among=solved.chosen_among, more=more)
        notes = made.sentences() + notes
        preset = calibration.to_preset(
            model=subject.identity,
            guidance=subject.guidance,
            dtype=subject.dtype,
            made=made,
            seeds=tuple(range(request.calibration_seed, request.calibration_seed + request.noises)),
            name=request.name,
            notes="\n".join([*notes, *switch_sentences(calibration.schedules, subject.boundary)]),
            tool="Sigmasmith for ComfyUI",
        )
        _save(path, preset, key)
        records.clear()
    costs = [runs.costs] if isinstance(runs, ExpertRuns) else []
    report = fit_in_words(request, calibration, [*notes, *costs, memory])
    # The preset is saved: whatever happens to the pictures costs no more than them.
    late = request.minutes and calibration.seconds > 60.0 * request.minutes
    return preset, report, calibration.report.rows, None if late else seen(before, calibration, runs, counting)


def _derived(request: FitRequest, subject: Subject) -> str:
    """A name of the model's file, or of the files of two in turn."""
    files = subject.made.models if subject.boundary is not None else (subject.identity.checkpoint,)
    return derived_name(files, request.sampler_name, request.denoise)


@contextmanager
def _told_if_interrupted(counting: Counting, node_id: Any) -> Iterator[None]:
    """While a fit runs: an interrupt says that nothing of it is lost."""
    try:
        yield
    except BaseException as error:
        if messages.is_interrupt(error) and folders.records_limit():
            said = Phrase(
                "Interrupted at {share}: kept, and goes on from there when queued again.", share=counting.share
            )
            messages.show(said, node_id, done=counting.fraction, kept=True)
        raise


def _progress(request: FitRequest, runs: GuiderRuns | ExpertRuns) -> Progress:
    """The progress function; without leave to start over the limit it ends such a fit at its first timed calls."""
    if request.starts_over_limit:
        return progress_bar(runs, request.node_id, request.minutes or None)
    return only_within(runs, request.minutes, progress_bar(runs, request.node_id, None))


def _effort(request: FitRequest, steps: tuple[int, ...]) -> Effort:
    return effort_for(request.effort, steps, coefficients=NAME in request.samplers)


def _say_sizes(request: FitRequest, steps: tuple[int, ...], subject: Subject, runs: GuiderRuns | ExpertRuns) -> str:
    """A sentence on the memory and the disk that the fit takes at most, said before it begins."""
    # Two calls per step: how often a sampler calls the model is not known before it runs.
    size = FitSize(
        subject.latent_shape,
        request.noises,
        steps,
        _effort(request, steps),
        samplers=len(request.samplers),
        calls_per_step=2,
        method=request.method,
        coefficients=NAME in request.samplers,
    )
    return say_memory(size.memory, min(size.records, folders.records_limit()), runs, request.node_id)


def _records(key: str, node_id: Any) -> Records:
    """Where this fit is recorded, once there is room for it."""
    root, most = folders.unfinished_folder(), folders.records_limit()
    prune_records(root, keep=key, most_bytes=most)
    return Records(
        root / key if most else None,
        key,
        most_bytes=most,
        warn=lambda text: messages.say(text, node_id, warning=True),
    )


def _save(path: Path, preset: Preset, key: str) -> None:
    """Write the preset; where that fails the error holds its share code, and says that no call need be made again.

    Raises:
        ValueError: names the input.
    """
    try:
        with folders.changing:
            save_preset(path, preset, overwrite=True)
    except PresetError as error:
        try:
            code = f" Or take it from here: {to_share_code(preset)}"
        except PresetError:  # thousands of steps make it too long
            code = ""
        raise ValueError(
            f"name: {error}. The fit is not lost: its records are in {folders.UNFINISHED}/{key} of the user folder, "
            f"so that the same fit queued again answers from there.{code}"
        ) from error
    note_written(path)


def _runs_of(request: FitRequest, subject: Subject) -> GuiderRuns | ExpertRuns:
    """The runs of one guider, or of two in turn."""
    for guider in request.guiders:
        check_fittable(guider)
    each = [
        GuiderRuns(guider, subject.latents, request.calibration_seed, request.positives) for guider in request.guiders
    ]
    return each[0] if subject.boundary is None else ExpertRuns(each[0], each[1], subject.boundary)


def _calibrated(
    request: FitRequest,
    samplers: list[FitSampler],
    steps: tuple[int, ...],
    subject: Subject,
    start: PartialStart | None,
    baselines: Baselines,
    runs: GuiderRuns | ExpertRuns,
    cost: Cost,
    records: Records,
) -> Calibration:
    sampling = Sampling(
        subject.identity.sigma_range,
        samplers_by_name([sampler.function for sampler in samplers]),
        step_counts(steps),
        start,
        subject.boundary,
        request.calibration_seed,
        subject.guidance or 1.0,
    )
    try:
        with messages.interrupts_first():
            return solve_schedules(
                runs,
                runs.noise,
                sampling,
                Searching(baselines, request.effort, request.method, frequency_weight=request.frequency_weight),
                cost,
                records,
                suspects_in_words(request.guiders),
            )
    except OutOfTimeError:
        raise ValueError(
            f"minutes: {request.minutes:g} do not suffice for the reference solution and one run; "
            "give more, or lower noises or the size of the latent"
        ) from None


def _fit_key(request: FitRequest, subject: Subject, steps: tuple[int, ...]) -> str:
    """Name of the records of this very fit."""
    facts = (
        [model.records for model in subject.models],
        subject.boundary,
        digest([request.positives, subject.latents]),
        request.samplers,
        steps,
        request.noises,
        request.effort,
        request.calibration_seed,
        request.denoise,
        request.method,
        request.frequency_weight,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
