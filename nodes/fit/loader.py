"""Which file a node's model comes from, by the graph: hosts before 2026 do not tell it from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...schedules.presets.identity import bare_name

_FILES = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")


def loaded_file(graph: Any, node: Any) -> str | None:
    """Bare name of the file at the start of the chain of `model` links; None where the graph does not tell it.

    Args:
        graph: node id -> {"inputs": {name: value or [node id, output]}}, as it was queued.
        node: id where the chain ends.
    """
    seen: set[str] = set()
    node = str(node)
    while isinstance(graph, Mapping) and isinstance(graph.get(node), Mapping) and node not in seen:
        seen.add(node)
        inputs = graph[node].get("inputs")
        if not isinstance(inputs, Mapping):
            return None
        links = {name: value for name, value in inputs.items() if isinstance(value, list) and len(value) == 2}
        if "model" not in links:
            # A node that is fed by others, such as a merge of two models, holds no one file.
            return None if links else _first_file(inputs)
        node = str(links["model"][0])
    return None


def _first_file(inputs: Mapping[str, Any]) -> str | None:
    names = (value for value in inputs.values() if isinstance(value, str) and value.lower().endswith(_FILES))
    name = next(names, None)
    return None if name is None else bare_name(name)
