"""A schedule's run in words: for the node that runs and for its curve on the page."""

from __future__ import annotations

import torch
from torch import Tensor

from ...schedules.presets.preset import Preset
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
        return f"{will_run(sigmas)}."
    # By the sigmas themselves: in noise-level mode even a fitted step count most often starts between two lists.
    lists = (full for full, held in preset.schedules.items() if torch.equal(held[-(steps + 1) :], sigmas))
    full = next((full for full in lists if steps <= preset.running(full)), None)
    if said:
        kind = said
    elif full is None:
        kind = f"interpolated from {preset.counts_in_words}"
    else:
        origin = preset.origin.get(full, "fitted")
        kind = (
            "an exact list" if preset.exact else "fitted" if origin == "fitted" else f"the host's {origin}, which won"
        )
    sampler = f" Made for {preset.sampler}." if preset.sampler else ""
    return f"{will_run(sigmas)}; {kind}.{sampler}"


def shift_info(preset: Preset) -> str:
    """A sentence for a node that no model is connected to, so that nothing can compare the shift; or ""."""
    shift = preset.model.shift
    return f" Fitted at shift {shift:g}: on another one these noise levels are not the model's." if shift else ""
