"""The page's id of the generation that runs."""

from __future__ import annotations

from modules import progress


def current_task() -> str | None:
    """The id that the page gave it, None for a generation of the HTTP API."""
    task = progress.current_task
    return task if isinstance(task, str) else None
