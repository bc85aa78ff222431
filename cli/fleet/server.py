"""A ComfyUI server over HTTP, with the standard library alone."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schedules.hosting.version import build
from .transport import VARIABLE, AnswerError, answer_of, parsed, reason, shown_body

# Seconds between two looks at a fit: a share of the time it has run, within these ends. What a look costs a server is
# nothing beside a fit, and what an end that is seen late costs is at most this share.
_LOOK_SHARE, _FIRST_LOOK, _LAST_LOOK = 0.03, 0.05, 1.0
# Seconds until an interrupt is through.
_STOPPING = 60.0
_NOT_READY = (502, 503, 504)  # what a proxy says of a server that restarts


class LostServerError(Exception):
    """The server no longer answers, or has forgotten the fit; it can be made elsewhere."""


class FitFailedError(Exception):
    """The fit itself failed; the sentence is the server's."""


class StoppedError(Exception):
    """The fit was stopped because the fleet stops."""


@dataclass
class ServerClient:
    """A server, and the prompts on it that are ours.

    Args:
        address: http or https, without a slash at its end.
        variable: the environment variable with its Authorization header.
        patience: seconds without an answer after which it counts as lost.
    """

    address: str
    variable: str = VARIABLE
    patience: float = 60.0
    ours: set[str] = field(default_factory=set)

    def about(self) -> str:
        """ "" where it is a ComfyUI with this very pack, else what is wrong, in a sentence."""
        try:
            stats = self._json("GET", "/system_stats")
        except AnswerError as error:
            if error.status in (401, 403):
                return f"{self.address} refuses the token (HTTP {error.status}); set {self.variable} to its header"
            return f"{self.address} is no ComfyUI ({error} for /system_stats)"
        except (OSError, http.client.HTTPException) as error:
            return f"{self.address} does not answer: {reason(error)}"
        if not isinstance(stats, dict) or "comfyui_version" not in stats.get("system", {}):
            return f"{self.address} is no ComfyUI (its /system_stats says nothing of one)"
        try:
            theirs = self._json("POST", "/sigmasmith/about", {})["build"]
        except (AnswerError, KeyError, TypeError, OSError, http.client.HTTPException):
            has_pack = bool(self.node_info("SigmasmithFit"))
            said = "has an older Sigmasmith; update it" if has_pack else "lacks Sigmasmith; clone it into custom_nodes"
            return f"{self.address} {said}"
        if theirs != build():
            return f"{self.address} has Sigmasmith {theirs}, this is {build()}; the same fit could differ there"
        return ""

    def node_info(self, kind: str) -> dict[str, Any]:
        """The server's description of a node; empty where it has no such node or does not answer."""
        try:
            info = self._json("GET", f"/object_info/{urllib.parse.quote(kind, safe='')}")
        except (AnswerError, OSError, http.client.HTTPException):
            return {}
        return info.get(kind, {}) if isinstance(info, dict) else {}

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            self._json("GET", "/queue")
        except (AnswerError, OSError, http.client.HTTPException):
            return False
        return True

    def run(self, graph: Mapping[str, Any], prompt: str, stopping: Callable[[], bool]) -> None:
        """Queue a graph and wait for its end.

        Args:
            prompt: a new UUID, the prompt's id.
            stopping: whether to interrupt it; asked at every look.
        Raises:
            LostServerError, FitFailedError, StoppedError.
        """
        self.ours.add(prompt)
        try:
            reply = self._patiently(lambda: self._queue(graph, prompt), stopping)
            if reply.get("node_errors"):
                self.cancel(prompt)
                raise FitFailedError(_node_errors(reply))
            entry = self._ended(prompt, stopping)
        except AnswerError as error:
            self.cancel(prompt)
            raise FitFailedError(f"{self.address} answers with {error}: {shown_body(error.body)}") from None
        self.ours.discard(prompt)
        status = entry.get("status", {})
        messages = dict(status.get("messages", []))
        if "execution_interrupted" in messages:
            raise FitFailedError("somebody interrupted it on the server")
        if status.get("status_str") != "success":
            error = messages.get("execution_error", {})
            raise FitFailedError(str(error.get("exception_message", "the server does not say why")).strip())

    def preset(self, name: str, stopping: Callable[[], bool]) -> bytes:
        """The file of a preset.

        Raises:
            LostServerError, FitFailedError: it cannot be read.
        """
        try:
            return self._patiently(
                lambda: self._request("POST", "/sigmasmith/library/export", {"name": name}), stopping
            )
        except AnswerError as error:
            raise FitFailedError(f"its preset cannot be fetched ({error}): {shown_body(error.body)}") from None

    def cancel(self, prompt: str) -> None:
        """Take a prompt of ours out of the queue, or interrupt it and wait until it has stopped; never another one."""
        try:
            self._request("POST", "/queue", {"delete": [prompt]})
            deadline = time.monotonic() + _STOPPING
            # Every look asks again: between two it may have come to its turn.
            while self._is_queued(prompt) and time.monotonic() < deadline:
                self._request("POST", "/interrupt", {"prompt_id": prompt})
                time.sleep(_FIRST_LOOK)
        except (AnswerError, OSError, http.client.HTTPException):
            return  # it is gone, and the prompt with it; or it is asked again when it is back
        self.ours.discard(prompt)

    def cancel_all(self) -> None:
        """Cancel every prompt that is still ours."""
        for prompt in list(self.ours):
            self.cancel(prompt)

    def _queue(self, graph: Mapping[str, Any], prompt: str) -> dict[str, Any]:
        """The server's reply; {} where an earlier try has come through, whose reply was lost."""
        if self._is_queued(prompt) or self._history(prompt) is not None:
            return {}
        try:
            return self._json("POST", "/prompt", {"prompt": graph, "prompt_id": prompt})
        except AnswerError as error:
            if error.status != 400:
                raise
            raise FitFailedError(_node_errors(parsed(error.body))) from None

    def _ended(self, prompt: str, stopping: Callable[[], bool]) -> dict[str, Any]:
        """The history of a prompt once it has ended."""
        start, looks = time.monotonic(), 0
        while True:
            if stopping():
                self.cancel(prompt)
                raise StoppedError
            if (entry := self._patiently(lambda: self._history(prompt), stopping)) is not None:
                return entry
            looks += 1
            if looks % 5 == 0 and not self._patiently(lambda: self._is_queued(prompt), stopping):
                # It may have ended between the two questions.
                if (entry := self._patiently(lambda: self._history(prompt), stopping)) is not None:
                    return entry
                raise LostServerError(f"{self.address} was started anew and has forgotten the fit")
            time.sleep(min(max(_LOOK_SHARE * (time.monotonic() - start), _FIRST_LOOK), _LAST_LOOK))

    def _history(self, prompt: str) -> dict[str, Any] | None:
        return self._json("GET", f"/history/{prompt}").get(prompt)

    def _is_queued(self, prompt: str) -> bool:
        queue = self._json("GET", "/queue")
        return any(item[1] == prompt for kind in ("queue_running", "queue_pending") for item in queue[kind])

    def _patiently(self, ask: Callable[[], Any], stopping: Callable[[], bool]) -> Any:
        """The answer, asked for again until the patience is at its end.

        Raises:
            LostServerError: no answer, or none in time.
            AnswerError: one that says no.
        """
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return ask()
            except ConnectionRefusedError as error:  # its process has ended
                raise LostServerError(f"{self.address} is gone") from error
            except AnswerError as error:
                if error.status not in _NOT_READY:
                    raise
                said = str(error)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                    raise LostServerError(f"{self.address} is gone") from error
                said = reason(error)
            if stopping():
                raise StoppedError
            if time.monotonic() > deadline:
                raise LostServerError(f"{self.address} gave no answer for {self.patience:g} s ({said})")
            time.sleep(_LAST_LOOK)

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        return parsed(self._request(method, path, body))

    def _request(self, method: str, path: str, body: Any = None) -> bytes:
        return answer_of(self.address + path, method, body, self.variable)


def _node_errors(reply: Any) -> str:
    """The words of a refusal on each node, in one line."""
    said: list[str] = []
    if isinstance(reply, dict):
        for entry in (reply.get("node_errors") or {}).values():
            said += [f"{entry.get('class_type')}: {e.get('message')} ({e.get('details')})" for e in entry["errors"]]
        if not said and isinstance(reply.get("error"), dict):
            said = [str(reply["error"].get("message"))]
    return "; ".join(said) or "the server refused it and does not say why"
