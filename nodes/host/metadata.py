"""The record of a run in saved files: the PNG text `sigmasmith`, beside the host's own `prompt` and `workflow`."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from torch import Tensor

from ...schedules.hosting import LOGGER_NAME
from ...schedules.presets.preset import Preset
from .run_records import RunRecords, run_facts, uses_pack

KEY = "sigmasmith"
_records = RunRecords()


def add_prompt_handler(server: Any) -> None:
    """Look at queued prompts; only graphs that use the pack are given a record."""
    server.add_on_prompt_handler(on_prompt)


def on_prompt(data: dict[str, Any]) -> dict[str, Any]:
    """The body of a POST to /prompt, with our entry beside what the page sends along for saved files."""
    graph = data.get("prompt")
    if graph is None or not uses_pack(graph):
        return data
    if data.get("prompt_id") is None:
        data["prompt_id"] = str(uuid.uuid4())  # as the host itself would choose one
    extra = data.setdefault("extra_data", {})
    if extra.get("extra_pnginfo") is None:
        extra["extra_pnginfo"] = {}
    extra["extra_pnginfo"][KEY] = _records.expect(str(data["prompt_id"]), graph)
    return data


def note_run(sigmas: Tensor, preset: Preset | None = None, sampler: str = "") -> None:
    """Note the sigmas of the node that runs now; a saved file without them is better than a failed run."""
    try:
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        if context is not None:
            facts = run_facts(sigmas.detach().cpu().float().tolist(), preset, sampler)
            _records.note(context.prompt_id, context.node_id, facts)
    except Exception:
        logging.getLogger(LOGGER_NAME).warning("Sigmasmith could not note a run", exc_info=True)
