"""One HTTP request, with the standard library alone."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

# The variable whose value is sent as the header Authorization, where the file names no other one for a server.
VARIABLE = "SIGMASMITH_AUTHORIZATION"
_TIMEOUT = 30.0  # seconds that one request may take


class AnswerError(Exception):
    """An answer with an HTTP status that is no success, or one that is no JSON."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP {status}" if status != 200 else "no JSON")
        self.status, self.body = status, body


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


# Without the environment's proxies: the servers are machines of one's own, and the token is for them.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def answer_of(url: str, method: str, body: Any, variable: str) -> bytes:
    """The body of an answer.

    Args:
        body: sent as JSON; None for none.
        variable: the environment variable with the Authorization header.
    Raises:
        AnswerError: an HTTP status that is no success.
        OSError, http.client.HTTPException: no answer.
    """
    headers = {"Accept": "application/json"}
    if token := os.environ.get(variable, "").strip():
        headers["Authorization"] = token
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with _OPENER.open(request, timeout=_TIMEOUT) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise AnswerError(error.code, error.read(4_096)) from None


def parsed(body: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        AnswerError: it is none.
    """
    try:
        return json.loads(body)
    except ValueError:
        raise AnswerError(200, body) from None


def reason(error: Exception) -> str:
    """Why there was no answer, in the system's words."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def shown_body(body: bytes) -> str:
    """The sentence in an answer that says no."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")
