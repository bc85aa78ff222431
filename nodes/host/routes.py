"""The routes in the host's web server, and the host's side of what they need."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import folder_paths
from comfy.cli_args import args

from ..presets import store as preset_store
from . import metadata as _host_metadata
from . import registries as _host

if TYPE_CHECKING:
    from ...schedules.presets.preset import Preset
    from ..page.live_request import NodeValues, RunningModel
    from ..page.routes import Answer, Routes


class HostSources:
    """live_request.Sources in a running host."""

    def load_preset(self, choice: str, share_code: str) -> Preset:
        return preset_store.load(choice, share_code)

    def running_model(self, chain: tuple[NodeValues, ...]) -> RunningModel | None:
        from . import peek as _host_peek

        return _host_peek.running_model(chain)


_added: list[Any] = []  # the server that has our routes


def add_to_server() -> None:
    """Add our routes and the look at queued prompts to the host's server, once; nothing without a server."""
    try:
        from server import PromptServer
    except ImportError:  # in tests, without a server
        return
    server = getattr(PromptServer, "instance", None)
    if server is None or server in _added:
        return
    server.routes.post("/sigmasmith/{path:[a-z/]+}")(_answer)
    _host_metadata.add_prompt_handler(server)
    _added.append(server)


@functools.lru_cache(maxsize=1)
def _routes() -> Routes:
    """The handlers over the host's folders, made for the first page that asks: most of a start needs none of them."""
    from ..page.library import Library
    from ..page.routes import Routes

    library = Library(
        folders=_host.preset_folders,
        may_remove=not args.multi_user,
        changed=lambda: folder_paths.filename_list_cache.pop(_host.FOLDER_KEY, None),
    )
    return Routes(library, HostSources(), choices)


def choices(kind: str) -> Iterator[str]:
    """Every text in the lists of a node type: models, samplers and the like."""
    import nodes as host_nodes

    known = host_nodes.NODE_CLASS_MAPPINGS.get(kind)
    if known is None:
        return
    try:
        groups = known.INPUT_TYPES().values()
    except Exception:  # another pack's class may raise anything
        return
    for group in groups:
        for spec in group.values() if isinstance(group, dict) else ():
            kinds = spec[0] if isinstance(spec, (list, tuple)) and spec else ()
            options = kinds
            if kinds == "COMBO" and len(spec) > 1:
                options = spec[1].get("options", ())
            if isinstance(options, (list, tuple)):
                yield from (option for option in options if isinstance(option, str))


async def _answer(request: Any) -> Any:
    from aiohttp import web

    from ..page.routes import PREFIX, Answer, RefusedError

    routes, path = _routes(), f"{PREFIX}/{request.match_info['path']}"
    if path not in routes.table:
        return web.Response(status=404)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        routes.check(path, headers, request.content_length or 0)
        body = await _body(request, routes.table[path][1])
    except RefusedError as error:
        return _response(web, Answer(error.status, {"error": str(error)}))
    # In a thread: a large library or a fit that runs must not hold up the page.
    return _response(web, await asyncio.to_thread(routes.answer, path, headers, body))


async def _body(request: Any, limit: int) -> bytes:
    """The body, read no further than the limit."""
    from ..page.routes import RefusedError

    body = bytearray()
    async for part in request.content.iter_chunked(64 * 1024):
        body += part
        if len(body) > limit:
            raise RefusedError(413, f"The request has more than the {limit:,} bytes that are read.")
    return bytes(body)


def _response(web: Any, answer: Answer) -> Any:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if answer.data is None:
        text = json.dumps(answer.value, allow_nan=False)
        return web.Response(status=answer.status, text=text, content_type="application/json", headers=headers)
    return web.Response(
        status=answer.status, body=answer.data, content_type="application/octet-stream", headers=headers
    )
