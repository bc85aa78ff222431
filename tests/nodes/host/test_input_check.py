"""One error on one input: what the host reads of a check, and what it is told."""

from __future__ import annotations

import contextvars
import inspect
from types import MappingProxyType
from typing import Any

import pytest
from sigmasmith.nodes.host import input_check
from sigmasmith.nodes.host.input_check import Fault, InputCheck, look_at


def check(steps: str = "1", name: str = "a", choose: bool = False) -> None:
    if not steps.isdigit():
        raise ValueError(f"steps: {steps!r} is no number")
    if "/" in name:
        raise ValueError(f"name: {name} has a slash")
    if choose and steps == "1":
        raise ValueError("choose: one step leaves no choice")


class Node:
    """As a node of the host's."""

    validate_inputs = InputCheck(check)


class Judging:
    """A node whose check knows more values of `name` than the host's list of them."""

    validate_inputs = InputCheck(check, judged=("name",))


class Other:
    """A node without a check."""


CLASSES = MappingProxyType({"N": Node, "J": Judging, "O": Other})


@pytest.fixture(autouse=True)
def nothing_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(input_check, "_faults", contextvars.ContextVar("faults", default=None))


def marked(kind: type = Node) -> list[str]:
    """Inputs on which the host would put an error, as it reads them."""
    return inspect.getfullargspec(kind.validate_inputs).args[1:]  # pyright: ignore[reportAttributeAccessIssue]


def graph(**inputs: Any) -> dict[str, Any]:
    return {"7": {"class_type": "N", "inputs": inputs}, "8": {"class_type": "O", "inputs": {}}}


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({"steps": "ten", "name": "a"}, ["steps"]),
        ({"steps": "5", "name": "a/b"}, ["name"]),
        ({"steps": "1", "name": "a", "choose": True}, ["choose"]),
        ({"steps": "5", "name": "a"}, []),
        ({"steps": ["3", 0], "name": "a/b"}, ["name"]),
        ({"steps": 5, "name": "a"}, []),
    ],
)
def test_the_host_marks_the_one_input_that_is_at_fault(inputs, names):
    look_at(graph(**inputs), CLASSES)
    assert marked() == names


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({"steps": "5", "name": "a"}, ["name"]),
        ({"steps": "5", "name": "a/b"}, ["name"]),
        ({"steps": "ten", "name": "a"}, ["steps"]),
    ],
)
def test_the_host_leaves_its_list_of_an_input_that_the_check_judges_aside(inputs, names):
    """It holds values against the list only where the check does not name the input."""
    look_at({"7": {"class_type": "J", "inputs": inputs}}, CLASSES)
    assert marked(Judging) == names


def test_without_a_look_at_the_graph_all_inputs_are_checked():
    assert marked() == ["steps", "name", "choose"]
    assert Node.validate_inputs(steps="ten", name="a") == "steps: 'ten' is no number"
    assert Node.validate_inputs(steps="5", name="a") is True


def test_a_fault_names_the_input_that_its_text_begins_with():
    found = Node.__dict__["validate_inputs"].fault("Node", {"steps": "5", "name": "a/b"})
    assert found == Fault("Node", "name", "name: a/b has a slash")


@pytest.mark.parametrize("item", [None, "text", {}, {"class_type": ["N"], "inputs": {}}, {"class_type": "N"}])
def test_a_strange_graph_is_no_fault(item):
    look_at({"1": item}, CLASSES)
    assert marked() == []
