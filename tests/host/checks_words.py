"""What a person reads: tooltips, help pages and languages, held against the nodes as the host knows them.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import json
import re
from typing import Any

from loaded_pack import NODES, PACK


def as_read(text: str) -> str:
    """The text that the page makes of a message."""
    return re.sub(r"\{'([{}@|$])'\}", r"\1", text)


def test_every_node_has_a_description_and_every_input_a_tooltip():
    for node_id, cls in NODES.items():
        schema = cls.GET_SCHEMA()
        assert schema.description, node_id
        for field in [*schema.inputs, *schema.outputs]:
            name = getattr(field, "id", None) or field.display_name
            assert field.tooltip, f"{node_id}: {name}"
            assert field.tooltip[0].isupper() or field.tooltip[0].isdigit() or field.tooltip.startswith("steps"), (
                field.tooltip
            )
            assert field.tooltip.endswith((".", ")")), f"{node_id}, {name}: {field.tooltip}"


def test_english_is_what_the_nodes_say_and_every_language_names_every_input():
    for folder in sorted((PACK / "locales").iterdir()):
        words = json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8"))
        assert set(words) == set(NODES), folder.name
        for node_id, cls in NODES.items():
            check_node(folder.name, node_id, cls.GET_SCHEMA(), words[node_id])


def check_node(language: str, node_id: str, schema: Any, found: dict[str, Any]) -> None:
    inputs = {field.id.replace(".", "_"): (field.id, field.tooltip) for field in schema.inputs}
    outputs = {str(n): (field.display_name, field.tooltip) for n, field in enumerate(schema.outputs)}
    assert set(found["inputs"]) == set(inputs), (language, node_id)
    assert set(found["outputs"]) == set(outputs), (language, node_id)
    if language == "en":
        said = {"display_name": schema.display_name, "description": schema.description}
        for key, text in said.items():
            assert as_read(found[key]) == text, (node_id, key)
        for part, fields in (("inputs", inputs), ("outputs", outputs)):
            for key, (name, tooltip) in fields.items():
                assert as_read(found[part][key]["name"]) == name, (node_id, key)
                assert as_read(found[part][key]["tooltip"]) == tooltip, (node_id, key)


def test_every_node_has_a_help_page_with_a_picture():
    folder = PACK / "web" / "docs"
    assert {page.stem for page in folder.glob("*.md")} == set(NODES)
    shown: set[str] = set()
    for node_id, cls in NODES.items():
        text = (folder / f"{node_id}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {cls.GET_SCHEMA().display_name}\n"), node_id
        pictures = re.findall(r"!\[([^\]]{10,})\]\((images/[\w.]+)\)", text)
        assert len(pictures) == 1, node_id
        picture = folder / pictures[0][1]
        assert picture.read_bytes().startswith(b"\x89PNG"), picture
        assert picture.stat().st_size < 80_000, picture
        shown.add(picture.name)
        known = {field.id for field in cls.GET_SCHEMA().inputs}
        listed = re.findall(r"^- (`[\w`, ]+`)", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", " ".join(listed)):
            outputs = {field.display_name for field in cls.GET_SCHEMA().outputs}
            assert name in known | outputs, f"{node_id}.md lists {name}, which is no input or output"
    assert {picture.name for picture in (folder / "images").iterdir()} == shown
