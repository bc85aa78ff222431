"""A fit on the host's side: guider, noises, latents, progress bar with preview."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ..names import LOGGER_NAME
from ..text import duration
from . import messages
from .experts import ExpertRuns
from .runs import GuiderRuns

# Previews cost a decode and a JPEG each; the page shows no more than this many a second anyway.
_PREVIEW_INTERVAL = 0.2
_TEXT_INTERVAL = 2.0


def free_memory() -> float:
    """Bytes of the computer's memory that are free."""
    return float(comfy.model_management.get_free_memory(torch.device("cpu")))


def progress_bar(
    runs: GuiderRuns | ExpertRuns,
    node_id: Any,
    minutes: float | None,
    work: str = "the fit",
    more: str = " more at most",
) -> Callable[[int, int, str], None]:
    """calibrate's progress function: the host's bar with a preview, and once in words how long `work` will take."""
    model = runs.guider.model_patcher
    previewer = _previewer(model)
    bar = comfy.utils.ProgressBar(1)
    last, last_text = [0.0], [0.0]

    def progress(done: int, total: int, message: str) -> None:
        messages.stop_if_interrupted()
        preview = None
        now = time.monotonic()
        if previewer is not None and runs.preview is not None and now - last[0] > _PREVIEW_INTERVAL:
            preview, last[0] = previewer(runs.preview), now
        bar.update_absolute(done, total, preview)
        if runs.timer.ready and not runs.timer.told:
            runs.timer.told = True
            left = runs.timer.seconds_left(done, total)
            cap = f", stopped after {minutes:g} minutes" if minutes and left > 60.0 * minutes else ""
            messages.say(f"{work} takes about {duration(left)}{more}{cap}", node_id)
            last_text[0] = now
        elif runs.timer.told and now - last_text[0] > _TEXT_INTERVAL:
            messages.show(f"{message}; {duration(runs.timer.seconds_left(done, total))}{more}", node_id)
            last_text[0] = now

    return progress


def _previewer(model: Any) -> Callable[[Tensor], Any] | None:
    """Latent -> what the host's progress bar takes as a preview; None where previews are off."""
    try:
        previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    except Exception as error:  # a missing preview must not cost the fit
        logging.getLogger(LOGGER_NAME).debug("Sigmasmith: no preview: %s", error)
        return None
    if previewer is None:
        return None
    return lambda latent: previewer.decode_latent_to_preview_image("JPEG", latent)
