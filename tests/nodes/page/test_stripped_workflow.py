"""A workflow that is given away holds nothing that a person typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sigmasmith.nodes.page.stripped_workflow import stripped_workflow

SECRET = "a portrait of my neighbour"
LISTS = {
    "CheckpointLoaderSimple": ["sd.safetensors"],
    "KSampler": ["euler", "karras"],
    "SigmasmithLoadPreset": ["mine"],
}


def node(kind: str, *values: object, **more: object) -> dict[str, object]:
    return {"id": 1, "type": kind, "pos": [0, 0], "widgets_values": list(values)} | more


def stripped(*nodes: dict[str, object], **more: object) -> Any:
    return json.loads(stripped_workflow({"nodes": list(nodes), "links": []} | more, lambda kind: LISTS.get(kind, ())))


def test_settings_stay_and_typed_texts_go():
    found = stripped(
        node("CheckpointLoaderSimple", "sd.safetensors"),
        node("CLIPTextEncode", SECRET),
        node("KSampler", 42, "randomize", 20, 7.5, "euler", "karras", 1.0),
        node("SigmasmithLoadPreset", "mine", ""),
        node("SigmasmithSchedule", 10, 1.0, "host (keep the steps)"),
    )
    assert [entry["widgets_values"] for entry in found["nodes"]] == [
        ["sd.safetensors"],
        [""],
        [42, "", 20, 7.5, "euler", "karras", 1.0],
        ["mine", ""],
        [10, 1.0, "host (keep the steps)"],
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        node("CLIPTextEncode", SECRET),
        node("UnknownPack", {"text": SECRET, "list": [[SECRET]]}),
        node("KSampler", title=SECRET),
        node("KSampler", properties={"note": SECRET, "Node name for S&R": "KSampler"}),
        node("KSampler", inputs=[{"name": "model", "type": "MODEL", "label": SECRET}]),
        node("MarkdownNote", SECRET),
        node("SigmasmithSavePreset", "name", SECRET, SECRET, SECRET, False),
        node("SigmasmithLoadPreset", f"/home/{SECRET}"),
        node("SigmasmithLoadPreset", f"C:\\Users\\{SECRET}"),
    ],
    ids=lambda entry: str(entry.get("type")),
)
def test_nothing_typed_survives_anywhere(hidden):
    inner = {"id": "s", "name": SECRET, "nodes": [hidden], "outputs": [{"name": "MODEL", "label": SECRET}]}
    definitions = {"subgraphs": [inner | {"extra": {"x": SECRET}}]}
    groups = [{"title": SECRET, "note": SECRET}]
    found = stripped(hidden, groups=groups, extra={"author": SECRET}, definitions=definitions, models=[SECRET])
    assert SECRET not in json.dumps(found)
    assert found["definitions"]["subgraphs"][0]["nodes"][0]["type"] == hidden["type"]


def test_what_is_no_workflow_is_refused():
    with pytest.raises(ValueError, match="no list of nodes"):
        stripped_workflow({"1": {"class_type": "KSampler"}}, lambda kind: ())


def test_bottomless_nesting_is_refused_or_cut():
    graph: dict[str, object] = {"nodes": []}
    for _ in range(50):
        graph = {"nodes": [], "definitions": {"subgraphs": [graph]}}
    with pytest.raises(ValueError, match="nested too deeply"):
        stripped_workflow(graph, lambda kind: ())
    value: object = SECRET
    for _ in range(50):
        value = [value]
    assert SECRET not in json.dumps(stripped(node("x", value)))
