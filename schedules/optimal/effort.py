"""How much a fit may spend at each effort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """A budget of model evaluations per sample, known before the fit starts.

    Attributes:
        teacher_nodes: noise levels of the teacher.
        check_nodes: of the coarser teacher that it must agree with.
        base, per_step: the limit is base + per_step * (sum of the step counts).
        all_baselines: whether every host schedule is compared, or the leading ones alone.
    """

    teacher_nodes: int
    check_nodes: int
    base: float
    per_step: float
    all_baselines: bool

    def limit(self, steps: Iterable[int], *, solver: bool = False) -> float:
        """Evaluations per sample for a fit of these step counts together.

        Args:
            solver: coefficients are fitted too: six more unknowns per step than a schedule has.
        """
        return self.base + self.per_step * sum(steps) * (_SOLVER_FACTOR if solver else 1.0)


# One full Jacobian of schedule and coefficients at effort balanced, 8 steps and up; at fast they are tied to few knots.
_SOLVER_FACTOR = 2.0

# Limits follow from what users are promised: for 5, 8, 10 and 20 steps together 120 (fast) and 250 (balanced) per step
# count; for one count alone, fast, a quarter of the published OSS search, 100 + 100 * steps.
EFFORTS: dict[str, Effort] = {
    "fast": Effort(40, 20, 70.0, 9.4, False),
    "balanced": Effort(48, 24, 110.0, 20.5, True),
    "thorough": Effort(64, 32, 200.0, 60.0, True),
}


def effort_named(name: str) -> Effort:
    """The effort, or ValueError with the known names."""
    if name not in EFFORTS:
        raise ValueError(f"effort must be one of {', '.join(EFFORTS)}, got {name!r}")
    return EFFORTS[name]
