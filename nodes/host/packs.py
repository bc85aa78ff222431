"""Packs whose scheduler dropdowns lack our names: they copied the host's list before this pack was loaded.

No list of another pack is touched. A link of ours into such a dropdown fails with the host's "not in list", so the log
says beforehand whose list it is and what to use in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..registration import SCHEDULER_NAMES

# A list with all of these is one of the host's schedulers.
_STOCK = {"normal", "karras", "simple", "sgm_uniform"}


def packs_lacking(graph: Mapping[str, Any], classes: Mapping[str, Any]) -> list[str]:
    """Names of the packs of a graph that have a node with a scheduler list without ours, sorted.

    Args:
        graph: as it is queued, node id -> {"class_type", "inputs"}.
        classes: the host's node classes by their names.
    """
    kinds = {str(node.get("class_type")) for node in graph.values() if isinstance(node, Mapping)}
    lacking: set[str] = set()
    for kind in kinds:
        pack = str(getattr(classes.get(kind), "RELATIVE_PYTHON_MODULE", ""))
        if pack.startswith("custom_nodes.") and any(_lacks(choices) for choices in choice_lists(classes[kind])):
            lacking.add(pack.removeprefix("custom_nodes."))
    return sorted(lacking)


def lacking_in_words(pack: str) -> str:
    """The warning on one of them."""
    return (
        f"The scheduler list of {pack} was made before Sigmasmith was loaded and lacks {SCHEDULER_NAMES[0]}. Choose "
        "any scheduler there behind Sigmasmith Auto, connect the SIGMAS of Sigmasmith Schedule where the node takes "
        "them, or use the host's own KSampler behind Sigmasmith Apply Schedule."
    )


def _lacks(choices: Any) -> bool:
    held = {choice for choice in choices if isinstance(choice, str)}
    return held >= _STOCK and SCHEDULER_NAMES[0] not in held


def choice_lists(kind: Any) -> Iterator[Any]:
    """The choices of every dropdown of a node class, V1 or V3; another pack's class may raise anything."""
    for group in kind.INPUT_TYPES().values():
        for given in group.values() if isinstance(group, Mapping) else ():
            first = given[0] if isinstance(given, (list, tuple)) and given else None
            if isinstance(first, (list, tuple)):
                yield first
            elif first == "COMBO" and len(given) > 1 and isinstance(given[1], Mapping):
                yield given[1].get("options") or ()
