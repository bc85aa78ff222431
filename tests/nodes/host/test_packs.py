"""Packs that copied the host's list of schedulers too early are named, with what to use in its place."""

from __future__ import annotations

from typing import Any

import pytest
from sigmasmith.nodes.host.packs import lacking_in_words, packs_lacking

STOCK = ["simple", "sgm_uniform", "karras", "exponential", "normal", "beta"]
OURS = [*STOCK, "sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"]


def kind(module: str, choices: Any, *, v3: bool = False) -> Any:
    """A node class with a dropdown."""
    given = ("COMBO", {"options": choices}) if v3 else (choices, {})

    class Node:
        RELATIVE_PYTHON_MODULE = module

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {"required": {"model": ("MODEL",), "scheduler_name": given}, "hidden": {"id": "UNIQUE_ID"}}

    return Node


def graph(*kinds: str) -> dict[str, Any]:
    return {str(n): {"class_type": kind, "inputs": {}} for n, kind in enumerate(kinds)}


@pytest.mark.parametrize("v3", [False, True])
def test_a_pack_in_the_graph_whose_list_is_older_is_named(v3):
    classes = {
        "Early": kind("custom_nodes.Early-Pack", STOCK, v3=v3),
        "Late": kind("custom_nodes.Late-Pack", OURS, v3=v3),
        "Other": kind("custom_nodes.Other-Pack", ["a", "karras"], v3=v3),
        "KSampler": kind("nodes", STOCK, v3=v3),
        "Away": kind("custom_nodes.Away-Pack", STOCK, v3=v3),
    }
    assert packs_lacking(graph("Early", "Late", "Other", "KSampler", "Early", "Unknown"), classes) == ["Early-Pack"]


@pytest.mark.parametrize("broken", [{"1": None}, {"1": {"inputs": {}}}, {"1": {"class_type": "Nobody"}}, {}])
def test_a_graph_of_any_form_names_nobody(broken):
    assert packs_lacking(broken, {}) == []


def test_the_sentence_names_the_pack_and_what_to_use():
    said = lacking_in_words("Early-Pack")
    assert "Early-Pack" in said
    assert all(words in said for words in ("Sigmasmith Auto", "SIGMAS", "Apply Schedule"))
