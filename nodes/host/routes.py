"""Routes in the host's web server: requests to bytes and headers, answers back; what they do is handed in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from . import messages, metadata


class Answer(Protocol):
    """An answer to the page: a JSON value, or bytes where `data` is given."""

    @property
    def status(self) -> int: ...
    @property
    def value(self) -> Any: ...
    @property
    def data(self) -> bytes | None: ...


class Handlers(Protocol):
    """The routes to mount. Paths are whole; headers have lower-case names; every request is a POST."""

    def limit(self, path: str) -> int | None:
        """Most bytes of a body that are read; None for a path that there is not."""
        ...

    def refusal(self, path: str, headers: Mapping[str, str], size: int) -> Answer | None:
        """The answer to a request that is turned away unread."""
        ...

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer; errors are answers too. Called in a thread, and asks for a refusal once more."""
        ...


_mounted: list[Any] = []  # the servers that have our routes


def mount(prefix: str, make_handlers: Callable[[], Handlers]) -> None:
    """Add everything below `prefix` and the look at queued prompts to the host's server, once; nothing without one.

    Args:
        make_handlers: called at every request; most of a start needs none of it.
    """
    server = messages.server()
    if server is None or server in _mounted:
        return

    async def answered(request: Any) -> Any:
        return await _answered(request, f"{prefix}/{request.match_info['path']}", make_handlers())

    server.routes.post(prefix + "/{path:[a-z/]+}")(answered)
    metadata.add_prompt_handler(server)
    _mounted.append(server)


async def _answered(request: Any, path: str, handlers: Handlers) -> Any:
    limit = handlers.limit(path)
    if limit is None:
        return web.Response(status=404)
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = handlers.refusal(path, headers, request.content_length or 0)
    if answer is None:
        body = await _body(request, limit)
        # In a thread: a large library or a fit that runs must not hold up the page.
        answer = await asyncio.to_thread(handlers.answer, path, headers, body)
    return _response(answer)


async def _body(request: Any, limit: int) -> bytes:
    """The body, read no further than just beyond the limit: enough to be refused."""
    body = bytearray()
    async for part in request.content.iter_chunked(64 * 1024):
        body += part
        if len(body) > limit:
            break
    return bytes(body)


def _response(answer: Answer) -> Any:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if answer.data is None:
        text = json.dumps(answer.value, allow_nan=False)
        return web.Response(status=answer.status, text=text, content_type="application/json", headers=headers)
    return web.Response(
        status=answer.status, body=answer.data, content_type="application/octet-stream", headers=headers
    )
