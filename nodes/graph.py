"""A graph as the page describes it before anything has run: its nodes as plain values, and the model it will run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..schedules.presets.identity import ModelIdentity

Value = str | int | float | bool | None


@dataclass(frozen=True)
class NodeValues:
    """A node of the graph: its type and the values of its widgets, linked ones only where the link gives a constant."""

    kind: str
    values: Mapping[str, Value] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()  # inputs whose value only a run can tell

    def text(self, name: str, default: str = "") -> str:
        """A text input; anything else there counts as not given."""
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: float) -> float:
        """A number input; anything else there counts as not given."""
        value = self.values.get(name)
        return default if isinstance(value, (bool, str)) or value is None else value


@dataclass(frozen=True)
class RunningModel:
    """The model in the graph, as far as its files and the nodes behind the loader tell."""

    identity: ModelIdentity
    table: NDArray[np.float64] | None = None  # ascending sigmas
