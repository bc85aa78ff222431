"""How the runs of a fit are to be made, as the self-test has decided it (self_test/verdict.py)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """How a model's runs are to be made.

    Attributes:
        remembers: whether an earlier run's call may answer the same call of another one; otherwise every run is whole.
        together: whether rows of a batch may run in one call.
        notes: a sentence for each of these that does not hold.
    """

    remembers: bool = True
    together: bool = True
    notes: tuple[str, ...] = ()


GO_ON = Verdict()
