"""The host's progress bar with a preview, how long it will take in words, and the memory that is free."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.progress import AT_MOST, Remaining, Throttle, takes_about
from ..text import duration
from . import messages
from .experts import ExpertRuns
from .messages import NodePage
from .runs import GuiderRuns

# Previews cost a decode and a JPEG each; the page shows no more than this many a second anyway.
_PREVIEW_INTERVAL = 0.2
_TEXT_INTERVAL = 2.0


class TooLongError(Exception):
    """Work that would take longer than its limit was not gone on with; `seconds`: it would have taken so many."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it would take about {duration(seconds)}")
        self.seconds = seconds


def free_memory() -> float:
    """Bytes of the computer's memory that are free."""
    return float(comfy.model_management.get_free_memory(torch.device("cpu")))


def progress_bar(
    runs: GuiderRuns | ExpertRuns,
    page: NodePage,
    minutes: float | None,
    within: bool = False,
    work: str = Phrase("The fit"),
    more: str = AT_MOST,
) -> Callable[[int, int, str], None]:
    """calibrate's progress function: the host's bar with a preview, and once in words how long `work` will take.

    Args:
        minutes: limit of the whole work; None for none.
        within: whether to raise TooLongError where the first timed calls say that `minutes` do not suffice.
    """
    model = runs.guider.model_patcher
    previewer = _previewer(model)
    bar = comfy.utils.ProgressBar(1)
    previews, texts, remaining = Throttle(_PREVIEW_INTERVAL), Throttle(_TEXT_INTERVAL), Remaining(more)

    def progress(done: int, total: int, message: str) -> None:
        left = runs.timer.first_estimate(done, total)
        if within and left is not None and minutes is not None and left > 60.0 * minutes:
            raise TooLongError(left)
        messages.stop_if_interrupted()
        preview = None
        if previewer is not None and runs.preview is not None and previews.due():
            preview = previewer(runs.preview)
        bar.update_absolute(done, total, preview)
        if left is None:
            if runs.timer.told and texts.due():
                said = remaining.in_words(message, done, total, runs.timer.seconds_left(done, total))
                page.show(said, done=done / max(total, 1))
            return
        remaining.told(left)
        page.say(takes_about(work, left, minutes if minutes and left > 60.0 * minutes else None, more))
        texts.restart()

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
