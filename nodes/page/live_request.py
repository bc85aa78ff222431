"""The page's words about a node and its surroundings, checked: nothing of it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...schedules.presets.preset import Preset
from ..graph import NodeValues, RunningModel

MAX_CHAIN = 64
MAX_VALUES = 64
MAX_VALUE = 70_000  # characters: a share code with its line breaks
MAX_NAME = 200
MAX_NUMBER = 2.0**64  # a seed


@dataclass(frozen=True)
class LiveRequest:
    """One node whose curve is to be drawn.

    Args:
        node: the node itself.
        preset: nodes from its preset input upwards, the nearest first; a preset passes through all but the last.
        model: nodes that the model passes through, the loader first; empty where none is connected.
        run: the sampler behind the node, where one is.
    """

    node: NodeValues
    preset: tuple[NodeValues, ...] = ()
    model: tuple[NodeValues, ...] = ()
    run: NodeValues | None = None


class Sources(Protocol):
    """Where the host keeps what a node's values name."""

    def load_preset(self, choice: str, share_code: str) -> Preset:
        """As the Load Preset node; ValueError names the input."""
        ...

    def library(self) -> Mapping[str, Preset]:
        """Every preset that can be read, by its name."""
        ...

    def running_model(self, chain: tuple[NodeValues, ...]) -> RunningModel | None:
        """None where the model cannot be told without loading it."""
        ...


def parse_request(data: Any) -> LiveRequest:
    """A request from plain JSON.

    Raises:
        ValueError: names the field; nothing is repaired.
    """
    if not isinstance(data, Mapping):
        raise ValueError("node: must be an object")
    run = data.get("run")
    return LiveRequest(
        node=_node("node", data.get("node")),
        preset=parse_chain("preset", data.get("preset")),
        model=parse_chain("model", data.get("model")),
        run=None if run is None else _node("run", run),
    )


def parse_chain(where: str, data: Any) -> tuple[NodeValues, ...]:
    """Nodes in a row; None is none.

    Raises:
        ValueError: as `parse_request`.
    """
    if data is None:
        return ()
    if not isinstance(data, list) or len(data) > MAX_CHAIN:
        raise ValueError(f"{where}: must be a list of at most {MAX_CHAIN} nodes")
    return tuple(_node(where, entry) for entry in data)


def _node(where: str, data: Any) -> NodeValues:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: must be an object with type, values and linked")
    kind, values, linked = data.get("type"), data.get("values", {}), data.get("linked", [])
    if not isinstance(kind, str) or not 0 < len(kind) <= MAX_NAME:
        raise ValueError(f"{where}: type must be a text")
    if not isinstance(values, Mapping) or len(values) > MAX_VALUES:
        raise ValueError(f"{where}: values must be an object of at most {MAX_VALUES} entries")
    for name, value in values.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not isinstance(value, (str, int, float, type(None))):
            raise ValueError(f"{where}: a value is a text, a number, true, false or null")
        if isinstance(value, (int, float)) and not abs(value) <= MAX_NUMBER:
            raise ValueError(f"{where}: {name} is no usable number")
        if isinstance(value, str) and len(value) > MAX_VALUE:
            raise ValueError(f"{where}: {name} has {len(value):,} characters, at most {MAX_VALUE:,} are read")
    if not isinstance(linked, list) or len(linked) > MAX_VALUES or not all(isinstance(name, str) for name in linked):
        raise ValueError(f"{where}: linked must be a list of names")
    return NodeValues(kind, dict(values), frozenset(linked))
