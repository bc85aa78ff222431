"""Routes in the host's web server: requests to bytes and headers, answers back; what they do is handed in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from . import messages, metadata


class PageAnswer(Protocol):
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

    def refusal(self, path: str, headers: Mapping[str, str], size: int) -> PageAnswer | None:
        """The answer to a request that is turned away unread."""
        ...

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> PageAnswer:
        """The answer; errors are answers too. Called in a thread, and asks for a refusal once more."""
        ...


# A body of 4 MB over the slowest line that anybody has, and the bodies that may be on their way at once.
BODY_SECONDS = 60.0
MAX_READING = 64 * 1024 * 1024
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
    if answer is not None:
        return _response(answer)
    try:
        body = await _bodies.read(request, limit)
    except _TooManyError:
        return web.Response(status=503, headers={"Retry-After": "5"})
    except asyncio.TimeoutError:
        return web.Response(status=408)
    # In a thread: a large library or a fit that runs must not hold up the page.
    return _response(await asyncio.to_thread(handlers.answer, path, headers, body))


class _TooManyError(Exception):
    """Other bodies that are still coming fill the room there is for them."""


class _Bodies:
    """Reads bodies, for a limited time and as many bytes at once as there is room for."""

    def __init__(self) -> None:
        self._reading = 0

    async def read(self, request: Any, limit: int) -> bytes:
        """The body, read no further than just beyond the limit: enough to be refused.

        Raises:
            _TooManyError, asyncio.TimeoutError: it is not read.
        """
        body, started = bytearray(), asyncio.get_running_loop().time()
        try:
            parts = request.content.iter_chunked(64 * 1024).__aiter__()
            while len(body) <= limit:
                left = BODY_SECONDS - (asyncio.get_running_loop().time() - started)
                try:
                    part = await asyncio.wait_for(parts.__anext__(), max(left, 0.001))
                except StopAsyncIteration:
                    break
                self._reading += len(part)
                body += part
                if self._reading > MAX_READING:
                    raise _TooManyError
            return bytes(body)
        finally:
            self._reading -= len(body)


_bodies = _Bodies()


def _response(answer: PageAnswer) -> Any:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if answer.data is None:
        text = json.dumps(answer.value, allow_nan=False)
        return web.Response(status=answer.status, text=text, content_type="application/json", headers=headers)
    return web.Response(
        status=answer.status, body=answer.data, content_type="application/octet-stream", headers=headers
    )
