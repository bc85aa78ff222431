"""Names and tooltips in every language: alike, really translated, and readable by the page's message format.

English stands in the nodes alone: the page shows what they say where a language has no text. So host/checks_words.py
holds these texts against English; here the languages are held against each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("de", "fr", "zh", "ja", "ko")
# Characters that each of these languages cannot do without.
SCRIPTS = {"zh": r"[\u4e00-\u9fff]", "ja": r"[\u3040-\u30ff\u4e00-\u9fff]", "ko": r"[\uac00-\ud7af]"}
# What a person has to type or find on the page stays as it is.
LITERAL = re.compile(
    r"sigmasmith_[a-z]+|models/sigmasmith|sigmasmith1:|karras rho: 3, 5, 7|rho=5|cosine 1 to 0|FlipSigmas"
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def definitions(language: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def texts(language: str) -> Iterator[tuple[str, str, str]]:
    """(place, kind, text) of everything in a language."""
    for node, found in definitions(language).items():
        yield f"{node} display_name", "name", found["display_name"]
        yield f"{node} description", "text", found["description"]
        for part in ("inputs", "outputs"):
            for key, words in found[part].items():
                yield f"{node} {part} {key} name", "name", words["name"]
                yield f"{node} {part} {key} tooltip", "text", words["tooltip"]


def test_every_node_is_in_every_language():
    nodes = set(json.loads((ROOT / "node_list.json").read_text(encoding="utf-8")))
    for language in LANGUAGES:
        assert set(definitions(language)) == nodes, language


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_all_languages_have_the_same_inputs_and_outputs(language):
    assert [place for place, *_ in texts(language)] == [place for place, *_ in texts(LANGUAGES[0])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_none_holds_signs_that_the_page_reads_as_syntax(language):
    for place, _, text in texts(language):
        assert text.strip(), place
        plain = re.sub(r"\{'[{}@|$]'\}", "", text)
        assert not re.search(r"[{}@|$]", plain), (place, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_translated_and_not_placeholders(language):
    for place, _, text in texts(language):
        if language in SCRIPTS:
            assert re.search(SCRIPTS[language], text), (place, text)
        assert not re.search(r"todo|fixme|xxx|lorem|\?\?\?", text, re.IGNORECASE), place
        if "display_name" in place:
            assert "Sigmasmith" in text, place  # it is found by this word


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_numbers_and_words_to_type_are_the_same_in_all_languages(language):
    for (place, kind, text), (_, _, other) in zip(texts(language), texts(LANGUAGES[0]), strict=True):
        if kind == "text":
            assert set(LITERAL.findall(text)) == set(LITERAL.findall(other)), (place, text)
            assert decimals(text) == decimals(other), (place, text)


def decimals(text: str) -> set[str]:
    return {number for number in NUMBER.findall(text) if "." in number}
