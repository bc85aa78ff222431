"""Calls, steps and noise levels of an adaptive run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class AdaptiveReport:
    """Filled by sample_sigmasmith_adaptive.

    Attributes:
        method: as asked for.
        calls: model calls of the whole batch.
        accepted, rejected: per row, steps kept and steps taken back; the final jump to 0 is no step.
        sigmas: per row, the noise levels visited, the last one of the run (0 or the host's) included.
        tolerances: per row, the smallest and the largest error that a step was allowed.
    """

    method: str = ""
    calls: int = 0
    accepted: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    sigmas: list[list[float]] = field(default_factory=list)
    tolerances: list[tuple[float, float]] = field(default_factory=list)

    def begin(self, method: str, rows: int, sigma: float) -> None:
        """Empty it for a run of `rows` rows that starts at `sigma`."""
        self.method, self.calls = method, 0
        self.accepted, self.rejected = [0] * rows, [0] * rows
        self.sigmas = [[sigma] for _ in range(rows)]
        self.tolerances = [(float("inf"), 0.0)] * rows

    def note_tolerance(self, row: int, tolerance: float) -> None:
        if math.isfinite(tolerance):
            low, high = self.tolerances[row]
            self.tolerances[row] = min(low, tolerance), max(high, tolerance)

    def in_words(self) -> str:
        """A sentence for the log, and one per row of a small batch."""
        lines = [f"{_count(self.calls, 'model call')} for {_count(len(self.sigmas), 'image')}, method {self.method}."]
        for row, sigmas in enumerate(self.sigmas[:8]):
            taken = _count(self.accepted[row], "step")
            back = f", {self.rejected[row]} taken back" if self.rejected[row] else ""
            low, high = self.tolerances[row]
            allowed = f", errors of {low:.1e} to {high:.1e} allowed per step" if high else ""
            listed = ", ".join(f"{sigma:.4g}" for sigma in sigmas)
            lines.append(f"Image {row + 1}: {taken}{back}{allowed}. Sigmas: {listed}.")
        if len(self.sigmas) > 8:
            lines.append(f"{len(self.sigmas) - 8} more images are not listed.")
        return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
