"""Figures in print: averages, and each figure that was asked for beside the figure measured."""

from __future__ import annotations

import math
from collections.abc import Iterable


def average(values: Iterable[float]) -> float:
    """Geometric mean; NaN of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def verdict(text: str, measured: float, asked: float, *, most: bool = False) -> str:
    """One line: the figure's name, the figure measured, the figure asked, and whether it is reached."""
    reached = measured <= asked if most else measured >= asked
    relation = "at most" if most else "at least"
    return f"  {text:<66} {measured:8.2f}   asked {relation} {asked:7.2f}   {'reached' if reached else 'NOT REACHED'}"
