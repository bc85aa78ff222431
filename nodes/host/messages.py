"""Messages to a person in the log and on the page, and the stop that they ask for there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import comfy.model_management

from ...schedules.hosting import LOGGER_NAME
from ..text import translatable

# Events of the page's script: a sentence for the person, a line or more of the node, pictures for the node.
MESSAGE, STATUS, PICTURES = "sigmasmith.message", "sigmasmith.status", "sigmasmith.pictures"


def say(text: str, node_id: Any = None, *, warning: bool = False, quiet: bool = False) -> None:
    """Tell the log, and the page of whoever queued: in the node, and as a notice.

    Args:
        quiet: without the notice, for what concerns nobody at once.
    """
    logging.getLogger(LOGGER_NAME).log(logging.WARNING if warning else logging.INFO, "Sigmasmith: %s", text)
    show(text, node_id)
    send(MESSAGE, node_id, text=text, said=translatable(text), warning=warning, quiet=quiet)


def show(text: str, node_id: Any, **more: Any) -> None:
    """Put lines into the node on the page of whoever queued; the log is not told.

    Args:
        more: `done`, the share of a bar; `offer`, the minutes that a button in the node is for; `kept`, whether a
            button lets interrupted work go on.
    """
    send(STATUS, node_id, text=text, said=translatable(text), **more)


def send(event: str, node_id: Any, **data: Any) -> None:
    """An event for the page that queued what runs now; other pages, and runs that no page queued, see nothing of it."""
    page = server()
    client = getattr(page, "client_id", None)
    if page is not None and node_id is not None and client is not None:
        page.send_sync(event, {"node": str(node_id), **data}, client)


@dataclass(frozen=True)
class NodePage:
    """One node on the page of whoever queued, and the log: `say` and `show` for it."""

    node_id: Any = None

    def say(self, text: str, *, warning: bool = False, quiet: bool = False) -> None:
        """As `say`."""
        say(text, self.node_id, warning=warning, quiet=quiet)

    def show(self, text: str, **more: Any) -> None:
        """As `show`."""
        show(text, self.node_id, **more)


def say_here(text: str, quiet: bool) -> None:
    """As `say`, of the node that runs now."""
    context = executing_context()
    say(text, None if context is None else context.node_id, quiet=quiet)


def executing_context() -> Any:
    """The host's prompt_id and node_id of what runs now; None where nothing runs, or an old host does not say."""
    try:
        from comfy_execution.utils import get_executing_context
    except ImportError:
        return None
    return get_executing_context()


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
