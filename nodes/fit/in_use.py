"""The sampling of a graph until a fit is used: read from the graph as it was queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...schedules.hosts.schedules import DEFAULT_HOST


@dataclass(frozen=True)
class InUse:
    """The sampling until now.

    Args:
        sampler: name in the sampler list.
        schedule: name in the scheduler list, or what to call `sigmas`.
        steps: how many it runs; None where that is not known.
        sigmas: the list itself, (steps + 1,), where the schedule has no name.
    """

    sampler: str = ""
    schedule: str = DEFAULT_HOST
    steps: int | None = None
    sigmas: Tensor | None = None


def in_use_by(graph: Any, node: Any) -> InUse:
    """Sampler and sigmas of the queued graph, by its first sampler node that has none of ours; else nothing is known.

    Args:
        graph: node id -> {"class_type", "inputs"}, as it was queued.
        node: id of the node that asks.
    """
    entries = graph.items() if isinstance(graph, Mapping) else ()
    for name, entry in entries:
        inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
        if str(name) == str(node) or not isinstance(inputs, Mapping):
            continue
        sampler, schedule, steps = (inputs.get(key) for key in ("sampler_name", "scheduler", "steps"))
        texts = isinstance(sampler, str) and isinstance(schedule, str)
        if texts and not f"{sampler} {schedule}".count("sigmasmith"):
            return InUse(str(sampler), str(schedule), steps if isinstance(steps, int) else None)
    return InUse()
