"""The panel's inputs for a comparison, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..schedules.core.words import parse_steps
from .registration import LABELS, OPTIMAL

# The start noises of a comparison; a fit's begin at 0, and no preset is to be judged on those it was fitted on.
COMPARE_SEED = 1000
DEFAULT_SCHEDULES = (LABELS[OPTIMAL], "Simple", "Karras", "Beta")
# Steps of the reference that errors are measured from; it is also run with half as many.
REFERENCE_STEPS = 100
_MOST_RUNS = 64


@dataclass(frozen=True)
class CompareInputs:
    """A comparison that the panel asks for.

    Args:
        samplers: the host's names, the page's first.
        schedules: the host's labels of schedule types.
        steps: counts to compare at.
        seeds: start noises that every schedule runs.
    """

    samplers: tuple[str, ...]
    schedules: tuple[str, ...]
    steps: tuple[int, ...]
    seeds: int

    @property
    def rows(self) -> int:
        """Of the batch."""
        return self.seeds


def compare_inputs(sampler: str, more: object, schedules: object, steps: object, seeds: object) -> CompareInputs:
    """The panel's inputs for a comparison, brought to their types.

    Args:
        more: further samplers than the page's; a list, or a text with commas, as the HTTP API may send both.
        schedules: likewise.
    Raises:
        ValueError: names the input to change.
    """
    samplers, labels = tuple(dict.fromkeys([sampler, *_names(more)])), tuple(_names(schedules))
    if not labels:
        raise ValueError("Schedule types: choose one or more")
    if isinstance(seeds, bool) or not isinstance(seeds, (int, float)) or seeds != int(seeds) or not 2 <= seeds <= 16:
        raise ValueError(f"Seeds must be a whole number from 2 to 16, got {seeds!r}")
    counts = parse_steps(steps)
    if len(samplers) * len(labels) * len(counts) > _MOST_RUNS:
        raise ValueError(f"Schedule types: at most {_MOST_RUNS} runs are compared at once; choose fewer")
    return CompareInputs(samplers, labels, counts, int(seeds))


def _names(chosen: object) -> list[str]:
    parts = re.split(r"[,;\n]", chosen) if isinstance(chosen, str) else chosen if isinstance(chosen, Sequence) else []
    return list(dict.fromkeys(text for part in parts if (text := str(part).strip())))
