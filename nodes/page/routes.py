"""The pack's own routes, without a web framework: bytes and headers in, an answer out.

Every route is a POST with a limit on its body, answers same-origin pages only, and names files by checked preset names.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schedules.core.words import Phrase
from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.library import Library, LibraryError
from ...schedules.hosting.version import build
from ...schedules.presets.share_code import to_share_code
from ..text import translatable
from . import ROUTE_PREFIX
from .live_curve import live_curve, share_code
from .live_request import Sources, parse_chain, parse_request
from .stripped_workflow import Choices, stripped_workflow

MAX_REQUEST = 512 * 1024
MAX_UPLOAD = 4 * 1024 * 1024 + 1  # a preset file, and one byte by which a larger one is told
MAX_NODES = 128
MAX_CARDS = 1_000  # that a page draws; a search is made among all
# Of curves and of cards, what the page says in the person's language.
_TEXTS = ("problem", "summary", "warnings", "hint", "aria", "facts", "gains", "differences")
_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@dataclass(frozen=True)
class Answer:
    """An answer to the page: a JSON value, or bytes with a file name."""

    status: int = 200
    value: Any = None
    data: bytes | None = None
    file_name: str = ""


class RefusedError(Exception):
    """The request is not answered; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def check_origin(headers: Mapping[str, str]) -> None:
    """Let only pages of this very server through, and programs, which are no pages and say no origin.

    Args:
        headers: with lower-case names.
    Raises:
        RefusedError: 403.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise RefusedError(403, "Requests of other sites are refused.")
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _HOST.fullmatch(host):
        raise RefusedError(403, "The request names no host.")
    # Behind a proxy the host may read otherwise; the browser's own word, where it gives one, has been heard above.
    if origin is not None and site is None and not _same_host(origin, host):
        raise RefusedError(403, "Requests of other origins are refused.")


def _same_host(origin: str, host: str) -> bool:
    scheme, sign, rest = origin.partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme.lower())
    if not sign or port is None:
        return False
    return rest.lower().removesuffix(port) == host.lower().removesuffix(port)


@dataclass
class Routes:
    """The handlers.

    Args:
        library: of presets.
        sources: for the live curve.
        choices: for stripped workflows.
    """

    library: Library
    sources: Sources
    choices: Choices = lambda kind: ()
    table: dict[str, tuple[Callable[..., Answer], int]] = field(init=False)

    def __post_init__(self) -> None:
        self.table = {
            f"{ROUTE_PREFIX}/about": (self.about, MAX_REQUEST),
            f"{ROUTE_PREFIX}/curves": (self.curves, MAX_REQUEST),
            f"{ROUTE_PREFIX}/code": (self.code, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library": (self.list, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library/file": (self.add_file, MAX_UPLOAD),
            f"{ROUTE_PREFIX}/library/code": (self.add_code, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library/share": (self.share, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library/export": (self.export, MAX_UPLOAD),
            f"{ROUTE_PREFIX}/library/rename": (self.rename, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library/duplicate": (self.duplicate, MAX_REQUEST),
            f"{ROUTE_PREFIX}/library/delete": (self.delete, MAX_REQUEST),
        }

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a POST; errors are answers too, with a sentence under `error`."""
        try:
            handler, _ = self.table[path]
            self._check(path, headers, len(body))
            if path.endswith("/file"):
                _check_type(headers, "application/octet-stream")
                return handler(body)
            return handler(_parsed(headers, body))
        except (RefusedError, LibraryError) as error:
            return Answer(error.status, {"error": str(error)})
        except ValueError as error:
            return Answer(400, {"error": str(error)})
        except Exception:
            logging.getLogger(LOGGER_NAME).exception("Sigmasmith: %s failed", path)
            return Answer(500, {"error": "Something went wrong; the log of ComfyUI says what."})

    def limit(self, path: str) -> int | None:
        """Most bytes of a body that are read; None for a path that there is not."""
        return self.table[path][1] if path in self.table else None

    def refusal(self, path: str, headers: Mapping[str, str], size: int) -> Answer | None:
        """The answer to a foreign origin or a body that is too large, before any of it is read."""
        try:
            self._check(path, headers, size)
        except RefusedError as error:
            return Answer(error.status, {"error": str(error)})
        return None

    def _check(self, path: str, headers: Mapping[str, str], size: int) -> None:
        check_origin(headers)
        limit = self.table[path][1]
        if size > limit:
            raise RefusedError(413, f"The request has more than the {limit:,} bytes that are read.")

    def about(self, request: Mapping[str, Any]) -> Answer:
        """Which Sigmasmith this is, for programs that use several servers as one (cli/fleet)."""
        return Answer(value={"build": build()})

    def curves(self, request: Mapping[str, Any]) -> Answer:
        """Live curves of several nodes; a node that cannot be drawn says why and does not stop the others."""
        nodes = request.get("nodes")
        if not isinstance(nodes, list) or len(nodes) > MAX_NODES:
            raise ValueError(f"nodes: must be a list of at most {MAX_NODES}")
        return Answer(value={"curves": [self._curve(node) for node in nodes]})

    def _curve(self, node: Any) -> dict[str, Any]:
        answer = _told(self._drawn(node))
        if "plot" in answer:
            curves = answer["plot"]["curves"]
            answer["told"]["curves"] = translatable([{"name": one["name"], "said": one.get("said")} for one in curves])
        return answer

    def _drawn(self, node: Any) -> dict[str, Any]:
        try:
            return live_curve(parse_request(node), self.sources)
        except ValueError as error:
            return {"problem": str(error)}
        except Exception:
            logging.getLogger(LOGGER_NAME).exception("Sigmasmith: a curve could not be drawn")
            return {"problem": Phrase("The curve could not be drawn; the log of ComfyUI says why.")}

    def code(self, request: Mapping[str, Any]) -> Answer:
        """Share code of a node's schedule, or line of its search plan."""
        return Answer(value={"code": share_code(parse_request(request.get("node")), self.sources)})

    def list(self, request: Mapping[str, Any]) -> Answer:
        """The library, those that fit the model in the graph first; at most MAX_CARDS, and how many there are."""
        chain = parse_chain("model", request.get("model"))
        running = self.sources.running_model(chain) if chain else None
        identity = running.identity if running is not None else None
        model = None
        if identity is not None:
            model = " ".join(part for part in (identity.family, identity.checkpoint) if part)
        cards, matching, total = self.library.searched(identity, _text(request, "search", ""), MAX_CARDS)
        counts = {"found": matching, "total": total}
        return Answer(
            value={"presets": [_told(card) for card in cards], "model": model, "may_remove": self.library.may_remove}
            | counts
        )

    def add_file(self, body: bytes) -> Answer:
        """Add the preset file that is the body."""
        name, has_workflow = self.library.add_bytes(body)
        return Answer(value={"name": name, "workflow": has_workflow})

    def add_code(self, request: Mapping[str, Any]) -> Answer:
        """Add the preset of a share code."""
        return Answer(value={"name": self.library.add_code(_text(request, "code"), _text(request, "name", ""))})

    def share(self, request: Mapping[str, Any]) -> Answer:
        """Share code of a preset in the library."""
        return Answer(value={"code": to_share_code(self.library.preset(_text(request, "name")))})

    def export(self, request: Mapping[str, Any]) -> Answer:
        """A preset as a file to give away, with a stripped workflow where one is sent."""
        name, workflow = _text(request, "name"), request.get("workflow")
        if workflow is not None and not isinstance(workflow, Mapping):
            raise ValueError("workflow: must be an object")
        stripped = None if workflow is None else stripped_workflow(workflow, self.choices)
        data = self.library.export(name, stripped)
        return Answer(data=data, file_name=name.strip().rsplit("/", 1)[-1] + ".safetensors")

    def rename(self, request: Mapping[str, Any]) -> Answer:
        """Give a preset another name."""
        return Answer(value={"name": self.library.rename(_text(request, "name"), _text(request, "to"))})

    def duplicate(self, request: Mapping[str, Any]) -> Answer:
        """Copy a preset."""
        return Answer(value={"name": self.library.duplicate(_text(request, "name"))})

    def delete(self, request: Mapping[str, Any]) -> Answer:
        """Remove a preset; the page has asked."""
        self.library.delete(_text(request, "name"))
        return Answer(value={})


def _check_type(headers: Mapping[str, str], wanted: str) -> None:
    """Browsers ask before they send such a content type to another site; a plain form cannot send it at all."""
    if headers.get("content-type", "").split(";")[0].strip().lower() != wanted:
        raise RefusedError(415, f"The request must be {wanted}.")


def _parsed(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body."""
    _check_type(headers, "application/json")
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (RecursionError, ValueError):
        raise ValueError("The request is not valid JSON.") from None
    if not isinstance(content, dict):
        raise ValueError("The request must be a JSON object.")
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _text(request: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = request.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name}: must be a text")
    return value


def _told(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with its texts once more as the page can translate them; programs read the English ones."""
    return {**answer, "told": translatable({name: answer[name] for name in _TEXTS if name in answer})}
