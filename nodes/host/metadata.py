"""A look at queued prompts: the record of their runs in saved files, the samplers that run our schedulers, and packs
in them that lack our names.

The record is the PNG text `sigmasmith`, beside the host's own `prompt` and `workflow`.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.lists import as_run
from ...schedules.presets.preset import Preset
from . import messages
from .input_check import look_at
from .packs import lacking_in_words, packs_lacking
from .run_records import NamedRun, RunRecords, run_facts, uses_pack

KEY = "sigmasmith"
_NOT_NOTED = "Sigmasmith could not note a run"
_records = RunRecords()
_named_packs: set[str] = set()


def add_prompt_handler(server: Any) -> None:
    """Look at queued prompts; only graphs that use the pack are given a record."""
    server.add_on_prompt_handler(on_prompt)


def on_prompt(data: dict[str, Any]) -> dict[str, Any]:
    """The body of a POST to /prompt, with our entry beside what the page sends along for saved files."""
    graph = data.get("prompt")
    if graph is None or not uses_pack(graph):
        return data
    classes = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})  # the host's module of that name
    look_at(graph, classes)
    _name_packs(graph, classes)
    if data.get("prompt_id") is None:
        data["prompt_id"] = str(uuid.uuid4())  # as the host itself would choose one
    extra = data.setdefault("extra_data", {})
    if extra.get("extra_pnginfo") is None:
        extra["extra_pnginfo"] = {}
    extra["extra_pnginfo"][KEY] = _records.expect(str(data["prompt_id"]), graph)
    return data


def sampler_here() -> str:
    """The sampler that the node which runs now names beside one of our schedulers; "" where that is not known."""
    named = _named_here()
    return "" if named is None else named.sampler


def _named_here() -> NamedRun | None:
    context = messages.executing_context()
    return None if context is None else _records.named(str(context.prompt_id), str(context.node_id))


def note_list(sigmas: Tensor, preset: Preset | None, drops_penultimate: Callable[[str], bool]) -> None:
    """Note what the node that runs now makes of a list it was handed, where it names its sampler.

    Args:
        drops_penultimate: of a sampler's name, see registration.py.
    """
    try:
        if (named := _named_here()) is not None:
            drops = drops_penultimate(named.sampler) and len(sigmas) > 2
            whole = as_run(sigmas, len(sigmas) - 1 - drops, drops)
            if part := named.part(whole.tolist()):
                note_run(torch.tensor(part), preset, named.sampler)
    except Exception:
        logging.getLogger(LOGGER_NAME).warning(_NOT_NOTED, exc_info=True)


def _name_packs(graph: Any, classes: Any) -> None:
    """Say once of every pack in a graph that its dropdown lacks our names; a graph is queued all the same."""
    log = logging.getLogger(LOGGER_NAME)
    try:
        for pack in packs_lacking(graph, classes):
            if pack not in _named_packs:
                _named_packs.add(pack)
                log.warning("Sigmasmith: %s", lacking_in_words(pack))
    except Exception:  # another pack's INPUT_TYPES may raise anything
        log.debug("Sigmasmith could not look at the packs of a graph", exc_info=True)


def note_run(sigmas: Tensor, preset: Preset | None = None, sampler: str = "") -> None:
    """Note the sigmas of the node that runs now; a saved file without them is better than a failed run."""
    try:
        context = messages.executing_context()
        if context is not None:
            facts = run_facts(sigmas.detach().cpu().float().tolist(), preset, sampler)
            _records.note(context.prompt_id, context.node_id, facts)
    except Exception:
        logging.getLogger(LOGGER_NAME).warning(_NOT_NOTED, exc_info=True)
