"""Which sigmas and which preset a queued graph ran with, for the metadata of the files that it saves, and what its
nodes say beside our schedulers.

The host hands one dict per prompt to every node that saves, and writes each of its entries into the file. Ours is put
there when the prompt is queued and filled while it runs. A node that the host does not run again, because nothing
before it has changed, gives what it gave the last time: that is found by a digest of all that its result depends on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

FORMAT = 1
MAX_SIGMAS = 1_001
MAX_PROMPTS = 4_096
MAX_REMEMBERED = 4_096

Graph = Mapping[str, Any]


# Inputs of the hosts' samplers that leave a part of a list to run.
_PARTS = ("start_at_step", "end_at_step", "return_with_leftover_noise")


class NamedRun(NamedTuple):
    """A node's own words on its run beside a scheduler of ours.

    Attributes:
        sampler: its name.
        inputs: of the node, links among them.
    """

    sampler: str
    inputs: Mapping[str, Any]

    def part(self, sigmas: list[float]) -> list[float]:
        """The part of a whole list that runs: by the host's own inputs for a part. Empty where nothing does, or where
        links say how much."""
        given = {name: value for name, value in self.inputs.items() if not isinstance(value, list)}
        if any(name in self.inputs and name not in given for name in _PARTS):
            return []
        count, first, last = len(sigmas) - 1, given.get("start_at_step", 0), given.get("end_at_step")
        if "steps" in given:  # of denoise below 1 the list is of more
            sigmas = sigmas[max(count - int(given["steps"]), 0) :]
        elif "denoise" in given:
            sigmas = sigmas[count - math.ceil(count * given["denoise"] - 1e-9) :]
        elif "denoise" in self.inputs:
            return []
        if last is not None and last < len(sigmas) - 1:
            left_over = given.get("return_with_leftover_noise") == "enable"
            sigmas = [*sigmas[: int(last)], sigmas[int(last)] if left_over else 0.0]
        return sigmas[int(first) :] if first < len(sigmas) - 1 else []


class _Queued(NamedTuple):
    entry: dict[str, Any]
    digests: dict[str, str]
    named: dict[str, NamedRun]


class RunRecords:
    """The runs that were noted, by prompt; a few thousand prompts back."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Queued] = OrderedDict()
        self._last: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def expect(self, prompt_id: str, graph: Graph) -> dict[str, Any]:
        """The entry of a queued prompt: {"format", "runs": node id -> facts}, filled further by `note`."""
        digests = node_digests(graph)
        entry: dict[str, Any] = {
            "format": FORMAT,
            "runs": {node: self._last[digest] for node, digest in digests.items() if digest in self._last},
        }
        self._open[prompt_id] = _Queued(entry, digests, named_runs(graph))
        while len(self._open) > MAX_PROMPTS:
            self._open.popitem(last=False)
        return entry

    def note(self, prompt_id: str, node: str, facts: dict[str, Any]) -> None:
        """Facts of a node that runs now; nothing where the prompt is not known."""
        if prompt_id not in self._open:
            return
        entry, digests, _ = self._open[prompt_id]
        entry["runs"][node] = facts
        if node in digests:
            self._last[digests[node]] = facts
            self._last.move_to_end(digests[node])
            while len(self._last) > MAX_REMEMBERED:
                self._last.popitem(last=False)

    def named(self, prompt_id: str, node: str) -> NamedRun | None:
        """The words of a node of a queued prompt beside one of our schedulers; None where it names no sampler."""
        return self._open[prompt_id].named.get(node) if prompt_id in self._open else None


def named_runs(graph: Graph) -> dict[str, NamedRun]:
    """Node id -> what it says beside a scheduler of ours; a linked sampler is not known before it runs."""
    named = {}
    for node, known in graph.items():
        inputs = known.get("inputs") if isinstance(known, Mapping) else None
        if isinstance(inputs, Mapping) and str(inputs.get("scheduler", "")).startswith("sigmasmith_"):
            sampler = inputs.get("sampler_name")
            named |= {str(node): NamedRun(sampler, inputs)} if isinstance(sampler, str) else {}
    return named


def run_facts(sigmas: list[float], preset: Any = None, sampler: str = "") -> dict[str, Any]:
    """A run as it is written: the sigmas, shortest decimals of float32, and the preset's name and hash."""
    facts: dict[str, Any] = {"steps": len(sigmas) - 1}
    if len(sigmas) <= MAX_SIGMAS:
        facts["sigmas"] = [float(f"{sigma:.9g}") for sigma in sigmas]
    if preset is not None:
        facts |= {"preset": preset.name, "hash": preset.hash}
    return facts | ({"sampler": sampler} if sampler else {})


def uses_pack(graph: Any) -> bool:
    """Whether a graph has a node or a scheduler of ours."""
    if not isinstance(graph, Mapping):
        return False
    for node in graph.values():
        if not isinstance(node, Mapping):
            continue
        inputs = node.get("inputs")
        ours = isinstance(inputs, Mapping) and str(inputs.get("scheduler", "")).startswith("sigmasmith_")
        if ours or str(node.get("class_type", "")).startswith("Sigmasmith"):
            return True
    return False


def node_digests(graph: Graph) -> dict[str, str]:
    """Node id -> digest of the node and of all before it; nodes of a loop, which cannot run, have none."""
    done: dict[str, str] = {}
    waiting = list(graph)
    while waiting:
        left = []
        for node in waiting:
            if (digest := _digest(graph, node, done)) is None:
                left.append(node)
            else:
                done[node] = digest
        if len(left) == len(waiting):
            break
        waiting = left
    return done


def _digest(graph: Graph, node: str, done: Mapping[str, str]) -> str | None:
    """Digest of a node whose links lead to digested nodes only; None where one does not."""
    entry = graph[node]
    if not isinstance(entry, Mapping) or not isinstance(entry.get("inputs", {}), Mapping):
        return None
    inputs: dict[str, Any] = {}
    for name, value in entry.get("inputs", {}).items():
        if isinstance(value, list) and len(value) == 2 and str(value[0]) in graph:
            if str(value[0]) not in done:
                return None
            inputs[name] = [done[str(value[0])], value[1]]
        else:
            inputs[name] = value
    text = json.dumps([entry.get("class_type"), inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
