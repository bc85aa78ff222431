"""The report of a fit, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ..core.metrics import Ratio
from ..core.words import duration
from ..hosts.schedules import DEFAULT_HOST
from ..presets.preset import FITTED
from .claims import gain_in_words

# The reference is worth a sentence where its own error is more than this share of an error that is told.
_NOT_SMALL = 0.2
# Of a fitted multistep sampler: the schedule that its coefficients were started from, run as DPM++ 2M.
WITHOUT_COEFFICIENTS = "fitted without coefficients"
# The family at this model's scale and stretch, which a refined fit started from.
FAMILY = "family"
# The fact of a preset that says how much more errors in fine detail counted in its fit.
FREQUENCY_WEIGHT = "frequency_weight"
OURS = (FITTED, FAMILY, WITHOUT_COEFFICIENTS)


@dataclass(frozen=True)
class StepReport:
    """One step count on the held-out rows.

    Attributes:
        steps: the step count.
        errors: schedule name -> geometric mean over held-out samples of the end state's RMSE; "fitted" among them.
        switched: schedule name -> samples that ended in another image than the teacher's.
        chosen: the name whose schedule is returned: the fitted one, or the host's that beat it.
        gain: over the best host schedule compared, as far as these rows and other models tell (claims.py); None where
            a host's is returned, or nothing was checked.
        end: (held out, ...) end states of the schedule returned, on the CPU, to look at; None where it was not run.
        worth: steps of the host's default schedule that end as near, at most four times its own; None where not known.
        fine: schedule name -> as `errors`, of the finer half of the frequencies alone and without a weight; empty for
            rows that are no pictures.
    """

    steps: int
    errors: Mapping[str, float]
    switched: Mapping[str, int]
    chosen: str
    gain: Ratio | None = None
    end: Tensor | None = field(default=None, compare=False, repr=False)
    worth: float | None = None
    fine: Mapping[str, float] = field(default_factory=dict, compare=False)

    def for_preset(self) -> tuple[str, dict[str, float]]:
        """(origin, errors) as a preset holds them: of what was fitted only what is returned, as "fitted"."""
        errors = {name: error for name, error in self.errors.items() if name == FITTED or name not in OURS}
        if self.chosen not in (FAMILY, WITHOUT_COEFFICIENTS):
            return self.chosen, errors
        return FITTED, errors | {FITTED: self.errors[self.chosen]}

    @property
    def best_host(self) -> str | None:
        """The host schedule with the smallest error."""
        hosts = [name for name in self.errors if name not in OURS]
        return min(hosts, key=lambda name: self.errors[name]) if hosts else None


@dataclass(frozen=True)
class Report:
    """The outcome of a fit.

    Attributes:
        rows: steps -> StepReport.
        held_out, samples: rows held out of the search, and all rows.
        teacher_error: geometric mean RMSE between the teacher and one with half the levels.
        reference_error: about how far the teacher itself is from the true end states.
        seconds_a_call: of a model call for one sample, in this fit; 0 where not known.
        skipped: host schedules that were not compared.
        notes: everything else that a person should know, in sentences.
        reference: (held out, ...) end states that the errors are measured from, on the CPU; None where they cannot be
            trusted.
    """

    rows: Mapping[int, StepReport]
    held_out: int
    samples: int
    teacher_error: float
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    reference: Tensor | None = field(default=None, compare=False, repr=False)
    reference_error: float = 0.0
    seconds_a_call: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return "\n".join([*self._table(), *self._sentences()])

    def _table(self) -> list[str]:
        best = "best of those compared" if self.skipped else "best host schedule"
        lines = [f"{'steps':>5}  {'returned':<22} {'error':>9}   {best:<22} {'error':>9}   gain"]
        for steps, row in sorted(self.rows.items()):
            if not row.errors:
                lines.append(f"{steps:>5}  {row.chosen:<22} not checked")
                continue
            host, chosen = row.best_host, row.errors.get(row.chosen, float("nan"))
            name, error = (host, f"{row.errors[host]:.5f}") if host else ("none compared", "")
            gain = "none" if row.gain is None else gain_in_words(row.gain)
            lines.append(f"{steps:>5}  {row.chosen:<22} {chosen:>9.5f}   {name:<22} {error:>9}   {gain}")
        return lines if self.rows else []

    def _worth(self, row: StepReport) -> str:
        """A sentence on how many steps of the host's default schedule a fit replaces; or ""."""
        if row.worth is None or row.worth < row.steps + 1:
            return ""
        most = row.worth >= 4 * row.steps
        steps = f"{'more than' if most else 'about'} {math.floor(row.worth)}"
        saved = (row.worth - row.steps) * self.seconds_a_call
        time = f", which saves {duration(saved)} an image here" if saved >= 1.0 else ""
        return f"{row.steps} fitted steps end as near as {steps} of {DEFAULT_HOST}{time}."

    def _fine_residual(self) -> str:
        """A sentence on the errors of high frequency, which people see as noise; or ""."""
        told = []
        for steps, row in sorted(self.rows.items()):
            if row.chosen in row.fine:
                host = row.best_host
                beside = f" ({host} {row.fine[host]:.3g})" if host and host != row.chosen else ""
                told.append(f"{steps} steps {row.fine[row.chosen]:.3g}{beside}")
        return f"In fine detail alone (waves of up to four values): {', '.join(told)}." if told else ""

    def _reference_error(self) -> str:
        """A sentence on the reference where its error is not small beside those of the schedules; or ""."""
        errors = [row.errors[row.chosen] for row in self.rows.values() if row.chosen in row.errors]
        if not errors or not self.reference_error > _NOT_SMALL * min(errors):
            return ""
        return (
            f"The reference is itself only known to about {self.reference_error:.3g} (with fewer levels it ends "
            f"{self.teacher_error:.3g} away): gains are of errors without that, and little is counted below it."
        )

    def _sentences(self) -> list[str]:
        said: list[str] = []
        for steps, row in sorted(self.rows.items()):
            if row.chosen == WITHOUT_COEFFICIENTS:
                said.append(
                    f"At {steps} steps the coefficients did not prove themselves: the sampler runs as dpmpp_2m."
                )
            elif row.chosen == FAMILY:
                said.append(f"At {steps} steps nothing was gained beyond the family, which is returned.")
            elif row.chosen != FITTED and FITTED in row.errors:
                said.append(f"At {steps} steps the host's {row.chosen} was better than the fit, so it is returned.")
            elif row.best_host and row.errors[row.best_host] < row.errors.get(row.chosen, 0.0):
                said.append(
                    f"At {steps} steps the host's {row.best_host} had the smaller mean error, but is not shown to be "
                    "better: the fit is returned. More noises would tell."
                )
            said += filter(None, [self._worth(row)])
            if row.switched.get(row.chosen):
                said.append(
                    f"At {steps} steps {row.switched[row.chosen]} of {self.held_out} held-out samples ended in another "
                    "image than the reference's."
                )
        if self.rows:
            said.append(f"Errors: RMSE of the end state on {self.held_out} of {self.samples} samples, held out.")
            said.append("Gain: with what fits of other models showed; nine of ten such intervals hold the true one.")
        said += filter(None, [self._fine_residual(), self._reference_error()])
        if self.skipped:
            said.append("Not compared at this effort: " + ", ".join(self.skipped) + ".")
        return said + list(self.notes)
