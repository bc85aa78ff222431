"""Inputs that people type, checked when a graph is queued: one error, with its text, on the input that is at fault.

The host puts what a node's `validate_inputs` says on every input that the function names. So ours names, of each queued
graph, those alone that are at fault in it: a look at the graph, just before, says which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MethodType
from typing import Any, NamedTuple

_HOST_NAME = "validate_inputs"


class Fault(NamedTuple):
    """An input at fault, and the sentence on it."""

    kind: str
    name: str
    text: str


# Node id -> fault, of the graph that this task is queueing; None where no graph was looked at.
_faults: ContextVar[Mapping[str, Fault] | None] = ContextVar("sigmasmith_faults", default=None)


class InputCheck:
    """A node's `validate_inputs`.

    Args:
        check: called with the typed values of its parameters, those left out that come through a link; raises a
            ValueError whose text begins with the input's name.
        judged: inputs with a list of choices whose values the check judges. The host holds a value against the list
            where its node does not name the input, so these are named, unless another is at fault.
    """

    def __init__(self, check: Callable[..., None], judged: tuple[str, ...] = ()) -> None:
        self._check, self._judged = check, judged
        self._names = tuple(inspect.signature(check).parameters)

    def fault(self, kind: str, values: Mapping[str, Any]) -> Fault | None:
        """The fault of a node with these values; a value that is a list is a link."""
        given = {name: values[name] for name in self._names if not isinstance(values.get(name), (list, type(None)))}
        # A program may send a number for a text, which the host takes.
        typed = {name: value if isinstance(value, bool) else str(value) for name, value in given.items()}
        try:
            self._check(**typed)
        except ValueError as error:
            named = str(error).partition(":")[0]
            return Fault(kind, named if named in typed else next(iter(typed), ""), str(error))
        return None

    def __get__(self, node: Any, kind: type) -> MethodType:
        """The method that the host calls, with the parameters that it is to mark."""
        by_node = _faults.get()
        at_fault = {fault.name for fault in (by_node or {}).values() if fault.kind == kind.__name__}
        marked = at_fault or set(self._judged)
        names = self._names if by_node is None else tuple(name for name in self._names if name in marked)

        def validate_inputs(cls: type, **given: Any) -> bool | str:
            node_id = _node_that_is_checked()
            known = self.fault(cls.__name__, given) if by_node is None or node_id is None else by_node.get(node_id)
            return True if known is None else known.text

        named = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, named) for name in ("cls", *names)]
        validate_inputs.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        return MethodType(validate_inputs, kind)


def look_at(graph: Any, classes: Mapping[str, Any]) -> None:
    """Note what is at fault in a graph, for the checks that the host makes next in this task.

    Args:
        graph: node id -> {"class_type", "inputs"}, as it was posted; nothing of it is trusted.
        classes: class_type -> the node's class.
    """
    _faults.set(None)
    by_node: dict[str, Fault] = {}
    for node_id, item in graph.items():
        kind, inputs = (item.get("class_type"), item.get("inputs")) if isinstance(item, Mapping) else (None, None)
        node = classes.get(kind) if isinstance(kind, str) else None
        check = inspect.getattr_static(node, _HOST_NAME, None)
        if isinstance(check, InputCheck) and isinstance(inputs, Mapping):
            fault = check.fault(node.__name__, inputs)  # pyright: ignore[reportOptionalMemberAccess]
            if fault is not None:
                by_node[str(node_id)] = fault
    _faults.set(by_node)


def _node_that_is_checked() -> str | None:
    try:
        from comfy_execution.utils import get_executing_context
    except ImportError:
        return None
    context = get_executing_context()
    return None if context is None else str(context.node_id)
