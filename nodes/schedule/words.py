"""A schedule's run in words: for the node that runs and for its curve on the page."""

from __future__ import annotations

import torch
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.presets.preset import FITTED, Preset
from ..text import will_run

MODES = {"host (keep the steps)": "steps", "noise level": "noise_level"}


def schedule_info(preset: Preset, sigmas: Tensor, said: str = "") -> str:
    """A schedule's run in words.

    Args:
        sigmas: (steps + 1,) as the preset gives them.
        said: where they come from (whole_runs.py).
    """
    steps = len(sigmas) - 1
    if steps < 1:
        return Phrase("{run}.", run=will_run(sigmas))
    # By the sigmas themselves: in noise-level mode even a fitted step count most often starts between two lists.
    lists = (full for full, held in preset.schedules.items() if torch.equal(held[-(steps + 1) :], sigmas))
    full = next((full for full in lists if steps <= preset.running(full)), None)
    if said:
        kind = said
    elif full is None:
        kind = Phrase("interpolated from {counts}", counts=preset.counts_in_words)
    elif preset.exact:
        kind = Phrase("an exact list")
    elif (origin := preset.origin.get(full, FITTED)) == FITTED:
        kind = Phrase("fitted")
    else:
        kind = Phrase("the host's {host}, which won", host=origin)
    sampler = Phrase(" Made for {sampler}.", sampler=preset.sampler) if preset.sampler else ""
    return Phrase("{run}; {kind}.{more}", run=will_run(sigmas), kind=kind, more=sampler)


def shift_info(preset: Preset) -> str:
    """A sentence for a node that no model is connected to, so that nothing can compare the shift; or ""."""
    shift = preset.model.shift
    return f" Fitted at shift {shift:g}: on another one these noise levels are not the model's." if shift else ""
