"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...schedules.core.run import StartsFromImages
from ...schedules.core.types import Progress
from ...schedules.core.words import Phrase
from ...schedules.fitting.budget import OutOfTimeError
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.experts import switch_sentences
from ...schedules.fitting.journal import Records
from ...schedules.fitting.record_folder import prune_records
from ...schedules.fitting.settings import Cost, Sampling
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.checks import PresetError
from ...schedules.presets.file import save_preset
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import to_share_code
from ..host import folders, messages
from ..host.experts import ExpertRuns
from ..host.guard import suspects_in_words
from ..host.progress import progress_bar
from ..host.runs import GuiderRuns
from ..host.samplers import fit_sampler
from ..presets.written import note_written
from .before import Before, Counting, seen
from .existing import Existing
from .plan import FitPlan
from .request import FitRequest, FitResult
from .words import fit_in_words, result_of, say_memory

__all__ = ["FitRequest", "FitResult", "fit"]


def fit(request: FitRequest) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new fit, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    plan = FitPlan.of(request)
    existing = Existing.of(plan.request, plan.path, plan.subject, plan.steps)
    baselines = plan.baselines  # below denoise 1 the first to say where there is no room for a fit
    if existing is None:
        return _fit_anew(plan)
    for sentence in existing.edits:
        plan.page.say(sentence, quiet=True)
    lists = {count: preset_run(existing.preset, length)[0] for count, length in plan.full.items()}
    report = existing.in_words(plan.full, switch_sentences(lists, plan.subject.boundary))
    return result_of(existing.preset, plan.full, baselines, report, notes=existing.edits)


def _fit_anew(plan: FitPlan) -> FitResult:
    """A new fit, its preset saved."""
    request = plan.request
    samplers = [fit_sampler(name) for name in request.samplers]
    runs = plan.runs()
    before = Before.of(request.in_use, request.sampler_name, plan.steps, plan.start, runs.guider.model_patcher)
    progress = progress_bar(runs, plan.page, request.minutes or None, not request.starts_over_limit)
    counting = Counting(progress, runs.timer, before.calls(request.noises))
    notes = [sampler.note for sampler in samplers if sampler.note] + plan.notes
    if plan.start is not None and isinstance(runs, StartsFromImages) and runs.has_images:
        notes.append("The runs started from the images of the latent.")
    memory = say_memory(plan.size, runs, plan.page)
    with _records(plan.key, plan.page) as records:
        with _told_if_interrupted(counting, plan.page):
            calibration = _calibrated(plan, plan.sampling(samplers), runs, counting, records)
        preset = plan.preset(calibration, notes)
        _save(plan.path, preset, plan.key)
        records.clear()
    costs = [runs.costs] if isinstance(runs, ExpertRuns) else []
    said = [*plan.made(calibration).sentences(), *notes, *costs, memory]
    report = fit_in_words(request, calibration, said)
    # The preset is saved: whatever happens to the pictures costs no more than them.
    late = request.minutes and calibration.seconds > 60.0 * request.minutes
    beside = None if late else seen(before, calibration, runs, counting)
    return replace(result_of(preset, plan.full, plan.baselines, report, calibration.report.rows), beside=beside)


@contextmanager
def _told_if_interrupted(counting: Counting, page: messages.NodePage) -> Iterator[None]:
    """While a fit runs: an interrupt says that nothing of it is lost."""
    try:
        yield
    except BaseException as error:
        if messages.is_interrupt(error) and folders.records_limit():
            said = Phrase(
                "Interrupted at {share}: kept, and goes on from there when queued again.", share=counting.share
            )
            page.show(said, done=counting.fraction, kept=True)
        raise


def _records(key: str, page: messages.NodePage) -> Records:
    """Where this fit is recorded, once there is room for it."""
    root, most = folders.unfinished_folder(), folders.records_limit()
    prune_records(root, keep=key, most_bytes=most)
    return Records(root / key if most else None, key, most_bytes=most, warn=lambda text: page.say(text, warning=True))


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


def _calibrated(
    plan: FitPlan, sampling: Sampling, runs: GuiderRuns | ExpertRuns, progress: Progress, records: Records
) -> Calibration:
    """The fit itself; where its minutes do not suffice for anything, an error that names the input."""
    request = plan.request
    cost = Cost(request.minutes or None if request.starts_over_limit else None, progress)
    try:
        with messages.interrupts_first():
            return solve_schedules(
                runs, runs.noise, sampling, plan.searching, cost, records, suspects_in_words(request.guiders)
            )
    except OutOfTimeError:
        fewer = "noises or " if plan.effort.could_be_fewer(request.noises) else ""
        raise ValueError(
            f"minutes: {request.minutes:g} do not suffice for the reference solution and one run; "
            f"give more, or lower {fewer}the size of the latent"
        ) from None
