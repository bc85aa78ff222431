"""A workflow as it may be given away with a preset: the graph and its settings, without what people have typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# What the page keeps beside the graph: positions and sizes. Everything else may hold anything.
_GRAPH_KEYS = {
    "last_node_id",
    "last_link_id",
    "nodes",
    "links",
    "groups",
    "definitions",
    "version",
    "id",
    "revision",
    "state",
    "config",
    "subgraphs",
    "inputs",
    "outputs",
    "inputNode",
    "outputNode",
    "widgets",
    "floatingLinks",
    "reroutes",
    "name",
}
_NODE_KEYS = {"id", "type", "pos", "size", "flags", "order", "mode", "inputs", "outputs", "color", "bgcolor", "shape"}
_GROUP_KEYS = {"id", "bounding", "color", "font_size", "flags"}
_KEPT_PROPERTIES = {"Node name for S&R", "cnr_id", "aux_id", "ver"}
_PATH = re.compile(r"[A-Za-z]:[\\/]|[\\/]|~|file:", re.IGNORECASE)
MAX_DEPTH = 12

Choices = Callable[[str], Iterable[str]]


def stripped_workflow(workflow: Mapping[str, Any], choices: Choices) -> str:
    """The JSON of a workflow without prompts, notes, titles and paths.

    Args:
        workflow: as the page saves it.
        choices: of a node type: every entry of its lists (models, samplers ...). A text of a widget is kept only where
            it is one of them, or belongs to a node of ours that takes settings; whatever else was typed becomes empty.
    Raises:
        ValueError: it is no workflow.
    """
    if not isinstance(workflow.get("nodes"), list):
        raise ValueError("workflow: it has no list of nodes")
    return json.dumps(_graph(workflow, choices, 0), separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _graph(graph: Mapping[str, Any], choices: Choices, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ValueError("workflow: it is nested too deeply")
    kept = {key: value for key, value in graph.items() if key in _GRAPH_KEYS}
    kept["nodes"] = [_node(node, choices) for node in _mappings(graph.get("nodes"))]
    kept["groups"] = [
        {key: value for key, value in group.items() if key in _GROUP_KEYS} | {"title": "Group"}
        for group in _mappings(graph.get("groups"))
    ]
    if "name" in kept:  # of a subgraph: what the person has called it
        kept["name"] = "Subgraph"
    kept |= _slots(graph)
    definitions = graph.get("definitions")
    inner = _mappings(definitions.get("subgraphs")) if isinstance(definitions, Mapping) else []
    if inner:
        kept["definitions"] = {"subgraphs": [_graph(entry, choices, depth + 1) for entry in inner]}
    else:
        kept.pop("definitions", None)
    return kept


def _slots(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs and outputs of a node or subgraph without the labels that a person may have given them."""
    return {
        side: [{key: value for key, value in slot.items() if key != "label"} for slot in _mappings(owner[side])]
        for side in ("inputs", "outputs")
        if side in owner
    }


def _mappings(entries: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _node(node: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    kept = {key: value for key, value in node.items() if key in _NODE_KEYS} | _slots(node)
    kind = str(node.get("type", ""))
    properties = node.get("properties")
    if isinstance(properties, Mapping):
        kept["properties"] = {key: value for key, value in properties.items() if key in _KEPT_PROPERTIES}
    if "widgets_values" in node:
        allowed = set(choices(kind))
        # Save Preset takes author and notes; what our other nodes take are settings, share codes and preset names.
        ours = kind.startswith("Sigmasmith") and kind != "SigmasmithSavePreset"
        kept["widgets_values"] = _value(node["widgets_values"], allowed, ours=ours, depth=0)
    return kept


def _value(value: Any, allowed: set[str], *, ours: bool, depth: int) -> Any:
    """A widget's value: numbers and flags as they are, texts by the rule above."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        known = value in allowed or (ours and len(value) < 20_000)
        return value if known and not _PATH.match(value) else ""
    if isinstance(value, list):
        return [_value(entry, allowed, ours=ours, depth=depth + 1) for entry in value]
    if isinstance(value, Mapping):
        return {key: _value(entry, allowed, ours=ours, depth=depth + 1) for key, entry in value.items()}
    return value
