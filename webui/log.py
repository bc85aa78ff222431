"""Our lines in the host's log."""

from __future__ import annotations

import logging

from ..schedules.hosting import LOGGER_NAME


def say(text: str, *, warning: bool = False) -> None:
    """Tell the log."""
    logging.getLogger(LOGGER_NAME).log(logging.WARNING if warning else logging.INFO, "%s", signed(text))


def signed(text: str) -> str:
    """A sentence for a place where everybody speaks, with our name where it does not begin with it."""
    return text if text.startswith("Sigmasmith") else f"Sigmasmith: {text}"


def show_log() -> None:
    """Let our own lines reach the console: hosts hide everything below warnings, and a schedule in use is none."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
