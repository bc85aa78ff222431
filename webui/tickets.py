"""Clicks on the buttons that start a job: each is good for one, whatever the page sends again later."""

from __future__ import annotations

import re
import uuid
from collections import deque
from typing import Any

FIT, COMPARISON, SEEDS = "fit", "comparison", "seeds"
_TICKET = re.compile(rf"sigmasmith ({FIT}|{COMPARISON}|{SEEDS}) [0-9a-f]{{32}}")
# The clicks that are still good.
_tickets: deque[str] = deque(maxlen=32)


def new_ticket(job: str = FIT) -> str:
    """A ticket for one job, for a click on its button; the page keeps it, but it is good only once."""
    ticket = f"sigmasmith {job} {uuid.uuid4().hex}"
    _tickets.append(ticket)
    return ticket


def is_ticket(value: Any) -> bool:
    """Whether a value of the page is a ticket, good or not."""
    return isinstance(value, str) and _TICKET.fullmatch(value) is not None


def take_ticket(ticket: str) -> bool:
    """Whether the ticket is good; from now on it is not."""
    if ticket not in _tickets:
        return False
    _tickets.remove(ticket)
    return True


def job_asked(value: Any) -> str | None:
    """Which job is asked for: by True (a fit) or its name over the HTTP API, or by the ticket of a click; or None."""
    if value is True:
        return FIT
    if not isinstance(value, str):
        return None
    match = _TICKET.fullmatch(value)
    if match is not None:
        return match[1] if take_ticket(value) else None
    return value if value in (FIT, COMPARISON, SEEDS) else None
