"""Messages to a person in the log and on the page, and the stop that they ask for there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management

from ...schedules.hosting import LOGGER_NAME


def say(text: str, node_id: Any = None, *, warning: bool = False) -> None:
    """Tell the log, and the page where there is one: below the node while it runs, and as an event for our script."""
    logging.getLogger(LOGGER_NAME).log(logging.WARNING if warning else logging.INFO, "Sigmasmith: %s", text)
    show(text, node_id)
    page = server()
    if page is not None and node_id is not None:
        page.send_sync("sigmasmith.message", {"node": str(node_id), "text": text, "warning": warning})


def show(text: str, node_id: Any) -> None:
    """Put a line below the node on the page while it runs; the log is not told."""
    page = server()
    if page is not None and node_id is not None and hasattr(page, "send_progress_text"):
        page.send_progress_text(text, str(node_id))


def prompt_id() -> Any:
    """Which queued prompt is running; a new object where there is no server, so that every run counts."""
    return getattr(server(), "last_prompt_id", None) or object()


class OncePerPrompt:
    """Lets every sentence be said once in a queued prompt: a tiled upscaler runs a model hundreds of times."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}  # sentence -> the prompt in which it was said last

    def due(self, text: str) -> bool:
        """Whether a sentence may be said now; if so, it counts as said."""
        prompt = prompt_id()
        if self._said.get(text) == prompt:
            return False
        self._said[text] = prompt
        return True


def server() -> Any:
    """The host's web server; None without one."""
    try:
        from server import PromptServer
    except ImportError:  # in tests, without a server
        return None
    return getattr(PromptServer, "instance", None)


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception is the host's interrupt."""
    return isinstance(error, comfy.model_management.InterruptProcessingException)


@contextmanager
def interrupts_first() -> Iterator[None]:
    """Where errors of a model are named: hosts before 2026 stop a run by an Exception, which would be taken for one."""
    try:
        yield
    except Exception as error:
        if error.__cause__ is not None and is_interrupt(error.__cause__):
            raise error.__cause__ from None
        raise


def stop_if_interrupted() -> None:
    """Raise the host's interrupt when the person has pressed the button."""
    comfy.model_management.throw_exception_if_processing_interrupted()
