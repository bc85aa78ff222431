"""The score that nodes of another pack give a picture, as a reward: one node, or several in a row."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

import nodes

from ...schedules.search.rewards import RewardError, ScoreReward

# The host's module; a type checker finds this pack's folder of the same name.
_HOST: Any = nodes
_WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


def node_reward(
    node: str, settings: Mapping[str, str], connected: Mapping[str, Any], image_input: str = "", output: str = ""
) -> ScoreReward:
    """The score output of any installed node, or of the last of several in a row, run for every image by itself.

    Args:
        node: ids or display names, joined by ">". Each takes what the ones before it give, by type.
        settings: widgets by name, as text, for each node that has them; the others keep their default.
        connected: links by name, likewise.
        image_input, output: names; empty takes the first IMAGE input, and the first output that is a number or text.
    Raises:
        ValueError: names the input.
    """
    kinds = {name: _node_class(name) for name in _names(node)}
    inputs = {name: _inputs_of(kind) for name, kind in kinds.items()}
    listed = ", ".join(name for of_node in inputs.values() for name in of_node)
    unknown = [name for name in (*connected, *settings) if not any(name in of_node for of_node in inputs.values())]
    if unknown:
        raise ValueError(f"settings: {node} has no input {unknown[0]!r}; it has {listed}")
    steps: list[_NodeInRow] = []
    types = {"IMAGE"}
    for name, kind in kinds.items():
        steps.append(_step(name, kind, inputs[name], settings, connected, image_input, types))
        types.update(map(str, kind.RETURN_TYPES))
    if not any(step.image for step in steps):
        wanted = repr(image_input) if image_input else "of type IMAGE"
        raise ValueError(f"image_input: {node} has no input {wanted}; it has {listed}")
    place = _output_place(steps[-1].kind, output)
    chain = _Chain(steps)
    return ScoreReward(node, lambda images: [_number(chain.outputs(one[None])[place]) for one in images])


@dataclass(frozen=True)
class _Input:
    """An input of a node; `default` is None where it must be given, or may be left out."""

    type: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class _NodeInRow:
    """A node of the row.

    Attributes:
        given: values that are the same for every image.
        linked: input -> the type of what nodes before it gave.
        image: the input that takes the picture, or "".
    """

    name: str
    kind: Any
    given: Mapping[str, Any]
    linked: Mapping[str, str]
    image: str

    @cached_property
    def _made(self) -> Any:
        """Its object, made once as the host does: some load their model with it."""
        return self.kind if hasattr(self.kind, "GET_SCHEMA") else self.kind()

    def outputs(self, by_type: Mapping[str, Any]) -> Sequence[Any]:
        """The outputs of one execution, of old nodes and new ones."""
        links = {name: by_type[kind] for name, kind in self.linked.items()}
        result = getattr(self._made, self.kind.FUNCTION)(**self.given, **links)
        if inspect.iscoroutine(result):
            result.close()
            raise RewardError(f"reward from a node: {self.name} runs asynchronously and cannot be asked image by image")
        result = getattr(result, "result", result)
        return result["result"] if isinstance(result, dict) else result

    def add(self, by_type: dict[str, Any]) -> Sequence[Any]:
        """The outputs, put into `by_type` as well."""
        outputs = self.outputs(by_type)
        by_type.update(zip(map(str, self.kind.RETURN_TYPES), outputs))
        return outputs


@dataclass(frozen=True)
class _Chain:
    """Nodes in a row; those before the first that takes the picture, such as a loader, are run once."""

    steps: Sequence[_NodeInRow]

    @cached_property
    def _first(self) -> int:
        return next(place for place, step in enumerate(self.steps) if step.image)

    @cached_property
    def _prepared(self) -> dict[str, Any]:
        by_type: dict[str, Any] = {}
        for step in self.steps[: self._first]:
            step.add(by_type)
        return by_type

    def outputs(self, image: Tensor) -> Sequence[Any]:
        """Outputs of the last node for an image (1, H, W, 3)."""
        by_type = self._prepared | {"IMAGE": image}
        return [step.add(by_type) for step in self.steps[self._first :]][-1]


def _names(node: str) -> list[str]:
    """Ids of the row; an id of its own that holds the sign is one."""
    known = (*_HOST.NODE_CLASS_MAPPINGS, *_HOST.NODE_DISPLAY_NAME_MAPPINGS.values())
    return [node] if node in known else [name.strip() for name in node.split(">")]


def _step(
    name: str,
    kind: Any,
    inputs: Mapping[str, _Input],
    settings: Mapping[str, str],
    connected: Mapping[str, Any],
    image_input: str,
    types: set[str],
) -> _NodeInRow:
    """A node after others that give `types`.

    Raises:
        ValueError: an input that nothing is given for.
    """
    given = {key: each.default for key, each in inputs.items() if each.default is not None}
    given |= {key: value for key, value in connected.items() if key in inputs}
    given |= {key: _read(key, text, inputs[key]) for key, text in settings.items() if key in inputs}
    pictures = [key for key, each in inputs.items() if each.type == "IMAGE" and key not in given]
    image = image_input if image_input in inputs else next(iter(pictures), "")
    linked = {
        key: each.type
        for key, each in inputs.items()
        if key not in given and each.type in types and each.type not in (*_WIDGETS, "IMAGE")
    }
    linked |= {image: "IMAGE"} if image else {}
    missing = [key for key, each in inputs.items() if each.required and key not in given and key not in linked]
    if missing:
        raise ValueError(
            f"node: {name} also needs {', '.join(missing)}: type widgets in settings, connect a link and name it, or "
            "put the node that gives it before this one, as in A > B"
        )
    return _NodeInRow(name, kind, {key: value for key, value in given.items() if key != image}, linked, image)


def _node_class(node: str) -> Any:
    known = _HOST.NODE_CLASS_MAPPINGS
    if node in known:
        return known[node]
    titles = {title: name for name, title in _HOST.NODE_DISPLAY_NAME_MAPPINGS.items()}
    if node in titles:
        return known[titles[node]]
    raise ValueError(f"node: {node!r} is not installed; give the id that its pack registers it under")


def _inputs_of(kind: Any) -> dict[str, _Input]:
    types = kind.INPUT_TYPES()
    return {
        name: _input_of(spec, section == "required")
        for section in ("required", "optional")
        for name, spec in types.get(section, {}).items()
    }


def _input_of(spec: Any, required: bool) -> _Input:
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    choices = spec[0] if isinstance(spec[0], (list, tuple)) else options.get("options")
    first = choices[0] if choices else None
    return _Input("COMBO" if choices else str(spec[0]), required, options.get("default", first) if required else None)


def _read(name: str, text: str, wanted: _Input) -> Any:
    """A widget's value from its text."""
    try:
        if wanted.type in ("INT", "FLOAT"):
            return int(text) if wanted.type == "INT" else float(text)
    except ValueError:
        raise ValueError(f"settings: {name} must be a number, got {text!r}") from None
    return text.strip().lower() in ("true", "yes", "on", "1") if wanted.type == "BOOLEAN" else text


def _output_place(kind: Any, output: str) -> int:
    types = [str(each) for each in kind.RETURN_TYPES]
    names = [str(name) for name in getattr(kind, "RETURN_NAMES", None) or types]
    if output:
        if output not in names:
            raise ValueError(f"output: there is no {output!r}; the node gives {', '.join(names)}")
        return names.index(output)
    for wanted in ("FLOAT", "INT", "NUMBER", "SCORE", "STRING"):
        if wanted in types:
            return types.index(wanted)
    return 0


def _number(value: Any) -> float:
    """One number from what score nodes give: a number, a list of one, a tensor of one, or text that holds one."""
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        numbers = re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", value)
        if len(numbers) != 1:
            raise RewardError(f"reward from a node: {value[:60]!r} holds {len(numbers)} numbers; one is needed")
        return float(numbers[0])
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(torch.as_tensor(value).reshape(()))
    except (TypeError, ValueError, RuntimeError):
        raise RewardError(f"reward from a node: {str(value)[:60]!r} is not one number") from None
