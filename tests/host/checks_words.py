"""What a person reads: tooltips, help pages and languages, held against the nodes as the host knows them.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import json
import re
from typing import Any

from loaded_pack import NODES, PACK

# What a person has to type or find on the page stays as it is.
LITERAL = re.compile(
    r"sigmasmith_[a-z]+|models/sigmasmith|sigmasmith1:|karras rho: 3, 5, 7|rho=5|cosine 1 to 0|FlipSigmas"
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


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


def test_the_words_that_people_search_for_lead_to_a_node():
    wanted = {"faster", "fewer steps", "steps", "sigmas", "scheduler", "eta", "noise", "guidance", "inversion"}
    # Hosts before 2026 know no aliases.
    listed = [set(getattr(cls.GET_SCHEMA(), "search_aliases", wanted)) for cls in NODES.values()]
    assert wanted <= set().union(*listed), wanted - set().union(*listed)


def test_what_a_newcomer_searches_for_leads_to_auto_first():
    """The host's search puts the shorter id first among nodes that have the very word."""
    for word in ("faster", "fewer steps", "steps", "scheduler"):
        have = [name for name, cls in NODES.items() if word in getattr(cls.GET_SCHEMA(), "search_aliases", [])]
        assert not have or min(have, key=len) == "SigmasmithAuto", (word, have)


def test_every_language_names_every_input_and_says_what_english_says():
    """English is what the nodes say: the page falls back to it where a language has no text."""
    folders = sorted((PACK / "locales").iterdir())
    assert [folder.name for folder in folders] == ["de", "fr", "ja", "ko", "zh"]
    for folder in folders:
        words = json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8"))
        assert set(words) == set(NODES), folder.name
        for node_id, cls in NODES.items():
            check_node(folder.name, node_id, cls.GET_SCHEMA(), words[node_id])


def check_node(language: str, node_id: str, schema: Any, found: dict[str, Any]) -> None:
    inputs = {field.id.replace(".", "_"): field.tooltip for field in schema.inputs}
    outputs = {str(n): field.tooltip for n, field in enumerate(schema.outputs)}
    assert list(found["inputs"]) == list(inputs), (language, node_id)
    assert list(found["outputs"]) == list(outputs), (language, node_id)
    check_text(language, node_id, schema.description, as_read(found["description"]))
    for part, english in (("inputs", inputs), ("outputs", outputs)):
        for key, text in english.items():
            check_text(language, f"{node_id} {part} {key}", text, as_read(found[part][key]["tooltip"]))


def check_text(language: str, place: str, english: str, text: str) -> None:
    """Translated, with the same numbers and words to type, and about as long: a cut or doubled text stands out."""
    assert text != english, (language, place)
    assert set(LITERAL.findall(english)) <= set(LITERAL.findall(text)), (language, place, text)
    lost = {number for number in NUMBER.findall(english) if "." in number} - set(NUMBER.findall(text))
    assert not lost, (language, place, lost)
    low, high = (0.15, 1.0) if language in ("zh", "ja") else (0.25, 1.4) if language == "ko" else (0.6, 1.9)
    if len(english) > 60:
        assert low <= len(text) / len(english) <= high, (language, place, len(text) / len(english))


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
