"""How the runs of a fit are to be made, as the self-test has decided it (self_test/verdict.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


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

    def as_tensors(self) -> dict[str, Tensor]:
        """For a record."""
        text = list("\n".join(self.notes).encode())
        return {"remembers": torch.tensor(self.remembers), "notes": torch.tensor(text, dtype=torch.uint8)}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Verdict:
        """The verdict that `as_tensors` was made of; rows run together."""
        notes = bytes(tensors["notes"].tolist()).decode()
        return cls(bool(tensors["remembers"]), True, tuple(notes.split("\n")) if notes else ())


GO_ON = Verdict()
