"""The words and plots of a fit: the memory it will take, the notes that its preset keeps, report, table, plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...schedules.core.words import Phrase, in_bytes
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.claims import gain_in_words
from ...schedules.fitting.memory import FitSize
from ...schedules.fitting.report import FITTED, StepReport
from ...schedules.hosting.library_card import count_sentence
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.hosts.schedules import DEFAULT_HOST
from ...schedules.presets.preset import Preset
from ..host import folders
from ..host.experts import ExpertRuns
from ..host.messages import NodePage
from ..host.progress import free_memory
from ..host.runs import GuiderRuns
from ..text import duration
from .request import FitRequest, FitResult


def say_memory(size: FitSize, runs: GuiderRuns | ExpertRuns, page: NodePage) -> str:
    """How much memory and disk the fit takes at most, said before it begins; a warning where there is less memory."""
    kept, recorded = size.memory, min(size.records, folders.records_limit())
    rows, *shape = runs.noise.shape
    said = Phrase(
        "Memory: the fit keeps at most {kept} in the computer's memory ({rows} noises of {shape}) and runs up to "
        "{chunk} of them through the model at a time. Until it is done, its records for the case of an interruption "
        "take at most {recorded} of the disk.",
        kept=in_bytes(kept),
        rows=rows,
        shape="x".join(map(str, shape)),
        chunk=runs.chunk,
        recorded=in_bytes(recorded),
    )
    page.say(said, quiet=True)
    if kept > free_memory():
        page.say(_memory_is_short(size, kept), warning=True, quiet=True)
    return said


def _memory_is_short(size: FitSize, kept: int) -> Phrase:
    free = {"free": in_bytes(free_memory()), "kept": in_bytes(kept)}
    if size.effort.could_be_fewer(size.rows):
        return Phrase(
            "{free} of the computer's memory are free, fewer than the fit may keep ({kept}); lower noises, the "
            "step counts or the size of the latent if it slows down",
            **free,
        )
    return Phrase(
        "{free} of the computer's memory are free, fewer than the fit may keep ({kept}); lower the step counts "
        "or the size of the latent if it slows down",
        **free,
    )


def fit_in_words(request: FitRequest, calibration: Calibration, notes: list[str]) -> str:
    """The report of a new fit."""
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


def table_of(preset: Preset, full: Mapping[int, int], rows: Mapping[int, StepReport]) -> dict[str, Any]:
    """The report as a table for the page: `heads`, `rows` of texts, `notes`.

    Args:
        full: as in `result_of`.
        rows: of a new fit's report; empty where the preset was there.
    """
    table = []
    for count, length in sorted(full.items()):
        errors, origin = preset.errors.get(length, {}), preset.origin.get(length, FITTED)
        hosts = {name: error for name, error in errors.items() if name != FITTED}
        best = min(hosts, key=lambda name: hosts[name]) if hosts else ""
        gain = rows[count].gain if count in rows else None
        said = Phrase("none") if origin != FITTED else "" if gain is None else gain_in_words(gain)
        if not said and best and errors.get(FITTED):
            said = f"{hosts[best] / errors[FITTED]:.2f}x"
        table.append([str(count), *(_with_error(name, errors) for name in (origin, best)), said])
    heads = [Phrase("steps"), Phrase("returned"), Phrase("best host schedule"), Phrase("gain")]
    return {"heads": heads, "rows": table, "notes": []}


def _with_error(name: str, errors: Mapping[str, float]) -> str:
    shown = Phrase("fitted") if name == FITTED else name or Phrase("none compared")
    return Phrase("{name}\n{error}", name=shown, error=f"{errors[name]:.3g}") if name in errors else shown


def result_of(
    preset: Preset,
    full: Mapping[int, int],
    baselines: Mapping[str, Any],
    report: str,
    rows: Mapping[int, StepReport] | None = None,
    notes: Sequence[str] = (),
) -> FitResult:
    """The preset with lists and plots of the step counts asked for.

    Args:
        full: step count -> steps of the preset's list that it is the end of.
        baselines: the host's schedules as they run at those step counts.
        rows: of a new fit's report.
        notes: sentences below the table.
    """
    lists = {count: preset_run(preset, length)[0][-(count + 1) :].clone() for count, length in full.items()}
    plots = []
    for count, length in full.items():
        errors = dict(preset.errors.get(length, {}))
        title = count_sentence(preset, length, count)
        # The best first: the plot shows only so many, and of equal curves the better one.
        shown = sorted((name for name in baselines if name in errors), key=lambda name: errors[name])
        shown = shown or list(baselines)[:4]
        if DEFAULT_HOST in baselines and DEFAULT_HOST not in shown:  # what most people compare with
            shown.append(DEFAULT_HOST)
        plots.append((title, lists[count], {name: baselines[name](count) for name in shown}))
    return FitResult(
        preset,
        next(iter(lists.values())),
        report,
        tuple(plots),
        table=table_of(preset, full, rows or {}) | {"notes": list(notes)},
    )
