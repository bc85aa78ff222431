"""Before and after a fit: the noises that judged it, by the reference, by what ran until now, and by the fit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...schedules.comparison.running import run_sampler
from ...schedules.core.metrics import geometric_mean, sample_errors
from ...schedules.core.types import Progress
from ...schedules.core.words import Phrase
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.effort import held_out_of
from ...schedules.fitting.partial import PartialStart
from ...schedules.fitting.report import FITTED, StepReport
from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.call_timer import CallTimer
from ...schedules.hosting.progress import share_in_words
from ...schedules.hosts.schedules import DEFAULT_HOST
from ...schedules.samplers.fitted import NAME, WITHOUT_COEFFICIENTS
from ..compare.runners import named_runner
from ..host import messages
from ..host.experts import ExpertRuns
from ..host.noise_levels import noise_levels_of
from ..host.runs import GuiderRuns
from ..host.samplers import IGNORES_SCHEDULE, RENEWS_NOISE, draws_noise, sampler_names
from ..host.subject import host_baselines
from ..pictures.beside import REFERENCE, Beside, Entry
from .in_use import InUse


@dataclass(frozen=True)
class Before:
    """A run that a fit is to be seen beside: (steps + 1,) sigmas that run, the sampler's name, and both in words."""

    sampler: str
    sigmas: Tensor
    label: str

    @classmethod
    def of(cls, in_use: InUse, sampler: str, steps: tuple[int, ...], start: PartialStart | None, model: Any) -> Before:
        """The run of until now, at one of the step counts that are fitted.

        A sampler that draws noise has other end states than the reference: the fit's own then stands in its place. A
        schedule that this host does not have is `simple`, which a sampler node has before anybody chooses.

        Args:
            sampler: that is fitted.
            steps: fitted counts, that wanted most first.
        """
        own = WITHOUT_COEFFICIENTS if sampler == NAME else sampler
        known = in_use.sampler in sampler_names() and in_use.sampler not in {NAME, *IGNORES_SCHEDULE, *RENEWS_NOISE}
        name = in_use.sampler if known and not draws_noise(own) and not draws_noise(in_use.sampler) else own
        if in_use.sigmas is not None:
            return cls(name, in_use.sigmas, f"{name}, {in_use.schedule}")
        count = in_use.steps if in_use.steps in steps else steps[0]
        hosts = host_baselines(noise_levels_of(model), name)
        schedule = in_use.schedule if in_use.schedule in hosts else DEFAULT_HOST
        made = hosts if start is None else start.cut_all(hosts)
        return cls(name, made[schedule](count), f"{name}, {schedule}")

    def calls(self, rows: int) -> float:
        """Evaluations per sample that the run takes: one a step, on those of so many rows that judge alone."""
        return (len(self.sigmas) - 1) * held_out_of(rows) / rows


class Counting:
    """The progress function of a fit after which a run follows: both are in the total that it states.

    Args:
        progress: the fit's own.
        timer: of the model calls; what is done without one comes from the records of an interrupted fit.
        calls: evaluations per sample that the run takes.
    """

    def __init__(self, progress: Progress, timer: CallTimer, calls: float) -> None:
        self._progress, self._timer, self._calls = progress, timer, round(calls)
        self._done = self._total = self._timed = self._recalled = 0
        self._resumed: str | None = None

    def __call__(self, done: int, total: int, message: str) -> None:
        """As the fit calls it."""
        # Later phases read runs that this very fit has recorded.
        recalls = self._recalled or message == REFERENCE
        if recalls and self._timer.calls == self._timed and done > self._done:
            self._recalled = done
        elif self._recalled and self._resumed is None:
            self._resumed = share_in_words(self._recalled, total + self._calls)
        self._done, self._total, self._timed = done, total + self._calls, self._timer.calls
        if self._resumed is not None:
            message = Phrase("{phase} (went on at {share})", phase=message, share=self._resumed)
        self._progress(done, self._total, message)

    @property
    def fraction(self) -> float:
        """The share that is done, 0 to 1."""
        return self._done / max(self._total, 1)

    @property
    def share(self) -> str:
        """The share that is done, in words."""
        return share_in_words(self._done, self._total)

    def after(self, calls: float) -> None:
        """So many evaluations per sample of the run are done."""
        self._progress(min(self._done + round(calls), self._total), self._total, Phrase("before and after"))


def seen(before: Before, calibration: Calibration, runs: GuiderRuns | ExpertRuns, counting: Counting) -> Beside | None:
    """Reference, before and after on the rows that chose nothing; None where there is nothing to see.

    A run that breaks down costs these pictures alone.
    """
    row = calibration.report.rows.get(len(before.sigmas) - 1)
    reference, every = calibration.report.reference, runs.noise.shape[0]
    if row is None or row.end is None or reference is None or FITTED not in row.errors:
        return None
    rows, done = slice(every - len(reference), every), 0

    def called(count: int) -> None:
        nonlocal done
        done += count
        counting.after(done / every)

    first = runs.first if isinstance(runs, ExpertRuns) else runs
    try:
        end, _ = run_sampler(runs, named_runner(before.sampler, first).for_rows(rows), before.sigmas, rows, called)
    except Exception as error:  # another pack's sampler may raise anything
        if messages.is_interrupt(error):
            raise
        logging.getLogger(LOGGER_NAME).warning("Sigmasmith could not run what ran until now", exc_info=True)
        return None
    return _beside(before, end, row, reference, calibration.sampler)


def _beside(before: Before, end: Tensor, row: StepReport, reference: Tensor, sampler: str) -> Beside:
    assert row.end is not None
    entries = (
        Entry(REFERENCE, reference),
        Entry(Phrase("until now: {run}", run=before.label), end, geometric_mean(sample_errors(end, reference))),
        Entry(_returned(row, sampler), row.end, geometric_mean(sample_errors(row.end, reference))),
    )
    return Beside(f"{row.steps} step{'' if row.steps == 1 else 's'}", entries, 1, 2)


def _returned(row: StepReport, sampler: str) -> Phrase:
    """The words for the schedule that a fit returned: its own, or the host's that won."""
    origin, _ = row.for_preset()
    if origin == FITTED:
        return Phrase("fitted: {sampler}", sampler=sampler)
    return Phrase("returned: {run}", run=f"{WITHOUT_COEFFICIENTS if sampler == NAME else sampler}, {origin}")
