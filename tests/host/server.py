"""A real ComfyUI in a subprocess, driven over HTTP with the standard library.

Example::

    host, reason = find_host()  # host is None when there is none; reason says how to get one
    make_tiny_models(host, models)
    with ComfyServer(host, base, pack=repo_root, models=models) as server:
        result = server.run(text_to_image("tiny_sd15"))
        png = server.fetch(result.outputs["save"]["images"][0])
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from .events import Events
from .graphs import Graph
from .locate import Host, HostError, clean_environment, find_host, make_tiny_models

__all__ = [
    "ComfyServer",
    "Host",
    "HostError",
    "PromptRejectedError",
    "Reply",
    "Result",
    "find_host",
    "make_tiny_models",
]

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class PromptRejectedError(RuntimeError):
    """`/prompt` refused a graph; `reply` is the host's answer with `error` and `node_errors`."""

    def __init__(self, reply: dict[str, Any]) -> None:
        super().__init__(json.dumps(reply, indent=1))
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """An HTTP answer of any status."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Result:
    """How a prompt ended: `outputs[node]` is what the node showed, `error` the host's `execution_error` data."""

    prompt_id: str
    status: Literal["success", "error", "interrupted"]
    outputs: dict[str, dict[str, Any]]
    error: dict[str, Any] | None
    cached: tuple[str, ...]
    seconds: float


class ComfyServer:
    """A server on a free port of 127.0.0.1; a context manager that stops the process it started and no other."""

    def __init__(
        self,
        host: Host,
        base: Path,
        *,
        pack: Path | None = None,
        models: Path | None = None,
        arguments: Sequence[str] = (),
        start_timeout: float = 600.0,
    ) -> None:
        """Nothing is started yet.

        Args:
            host: what to run.
            base: base directory, created where missing: models, custom_nodes, input, output, temp, user, server.log.
            pack: linked as custom_nodes/Sigmasmith; None starts the bare host.
            models: linked as base/models, to share tiny checkpoints between servers; None leaves `base` as it is.
            arguments: more command line arguments.
            start_timeout: seconds until the first answer; a fresh install compiles its modules first, and a busy
                machine takes minutes.
        """
        self.host = host
        self.base = base
        self.pack = pack
        self.models = models
        self.arguments = tuple(arguments)
        self.start_timeout = start_timeout
        self.port = 0
        self.client_id = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._events: Events | None = None

    def __enter__(self) -> ComfyServer:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def events(self) -> Events:
        """Messages to this client since the start; opened by `start`."""
        if self._events is None:
            raise HostError("the server is not running")
        return self._events

    def start(self) -> None:
        """Start the process and return when it answers."""
        self._lay_out()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [str(self.host.python), "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port)]
        # A file: hosts of 2025 log tracebacks of their own where a database in memory meets a second thread.
        database = f"sqlite:///{self.base / 'comfy.db'}"
        command += ["--base-directory", str(self.base), "--database-url", database, "--disable-api-nodes"]
        with (self.base / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *self.arguments],
                cwd=self.host.path,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + self.start_timeout
        while not self._answers():
            if self._process.poll() is not None:
                raise HostError(f"the host exited with {self._process.returncode}:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise HostError(f"the host did not answer in {self.start_timeout} s:\n{self.log()[-4000:]}")
            time.sleep(0.1)
        self._events = Events(self.port, self.client_id)

    def stop(self) -> None:
        """End the process; harmless when it has ended."""
        if self._events is not None:
            self._events.close()
            self._events = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End the process without warning, as a crash or a power cut would; `start` begins anew on the same folders."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def log(self) -> str:
        """Everything the host printed so far, without colours."""
        return ANSI.sub("", (self.base / "server.log").read_text(encoding="utf-8", errors="replace"))

    def import_failures(self) -> list[str]:
        """Log lines that say a node pack did not load: the host starts and exits as if nothing had happened."""
        return [line for line in self.log().splitlines() if "IMPORT FAILED" in line or "Cannot import" in line]

    def request(
        self, method: str, path: str, body: bytes | Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Any request; an error status is returned, not raised. A body that is not bytes goes as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with _DIRECT.open(request, timeout=60) as answer:
                return Reply(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read(), dict(error.headers))

    def get(self, path: str) -> Any:
        """JSON of a GET that must succeed."""
        reply = self.request("GET", path)
        if reply.status != 200:
            raise HostError(f"GET {path}: {reply.status} {reply.body[:500]!r}")
        return reply.json()

    def object_info(self, node_id: str) -> dict[str, Any]:
        """The host's description of one node; empty when it has no such node."""
        return self.get(f"/object_info/{urllib.parse.quote(node_id)}").get(node_id, {})

    def queue(self, graph: Graph) -> str:
        """Queue a graph and return its prompt id.

        Raises:
            PromptRejectedError: a node did not validate (the host still runs what does not depend on it).
        """
        reply = self.request("POST", "/prompt", {"prompt": graph, "client_id": self.client_id})
        if reply.status != 200 or reply.json().get("node_errors"):
            raise PromptRejectedError(reply.json())
        return reply.json()["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 120.0) -> Result:
        """Wait for the end of a queued prompt.

        Raises:
            HostError: it did not end in `timeout` seconds, or the host died.
        """
        start = time.monotonic()
        while not (entry := self._history(prompt_id)):
            if time.monotonic() - start > timeout:
                raise HostError(f"prompt {prompt_id} did not end in {timeout} s:\n{self.log()[-4000:]}")
            time.sleep(0.02)
        return _result(prompt_id, entry, time.monotonic() - start)

    def run(self, graph: Graph, timeout: float = 120.0) -> Result:
        """Queue and wait."""
        return self.wait(self.queue(graph), timeout)

    def interrupt(self) -> None:
        """Stop the running prompt, as the page's button does."""
        self.request("POST", "/interrupt", {})

    def fetch(self, image: Mapping[str, str]) -> bytes:
        """The file of one entry of a node's `images`, through `/view`."""
        query = urllib.parse.urlencode({name: image[name] for name in ("filename", "subfolder", "type")})
        reply = self.request("GET", f"/view?{query}")
        if reply.status != 200:
            raise HostError(f"/view?{query}: {reply.status}")
        return reply.body

    def _lay_out(self) -> None:
        nodes = self.base / "custom_nodes"
        nodes.mkdir(parents=True, exist_ok=True)
        links = {nodes / "Sigmasmith": self.pack, self.base / "models": self.models}
        for link, target in links.items():
            if target is not None and not link.exists():
                link.symlink_to(target.resolve(), target_is_directory=True)

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/system_stats").status == 200
        except OSError:
            return False

    def _history(self, prompt_id: str) -> dict[str, Any] | None:
        try:
            return self.get(f"/history/{prompt_id}").get(prompt_id)
        except OSError as error:
            raise HostError(f"the host is gone ({error}):\n{self.log()[-4000:]}") from error


# An http_proxy in the environment must not catch requests to this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _result(prompt_id: str, entry: dict[str, Any], seconds: float) -> Result:
    messages = dict(entry["status"]["messages"])
    status: Literal["success", "error", "interrupted"] = "success"
    if "execution_interrupted" in messages:
        status = "interrupted"
    elif entry["status"]["status_str"] != "success":
        status = "error"
    return Result(
        prompt_id=prompt_id,
        status=status,
        outputs=entry["outputs"],
        error=messages.get("execution_error"),
        cached=tuple(messages.get("execution_cached", {}).get("nodes", ())),
        seconds=seconds,
    )
