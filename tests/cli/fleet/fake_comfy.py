"""A server that answers as ComfyUI with the pack does; its fits are naps, and their presets depend on the job alone."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosting.version import build
from sigmasmith.schedules.presets.file import to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity, bare_name
from sigmasmith.schedules.presets.preset import Preset

_TEXT = ["STRING", {}]
_LINK = ["MODEL"]


def fitted(graph: dict[str, Any]) -> bytes:
    """The preset file of a graph."""
    inputs = next(node["inputs"] for node in graph.values() if node["class_type"] == "SigmasmithFit")
    checkpoint = next(node["inputs"]["ckpt_name"] for node in graph.values() if "ckpt_name" in node["inputs"])
    steps = int(inputs["steps"].split(",")[0])
    preset = Preset(
        schedules={steps: CURVES["karras"](steps, 0.03, 14.6)},
        sampler=inputs["sampler_name"],
        model=ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False, checkpoint=bare_name(checkpoint)),
        guidance=inputs["cfg"],
        effort=inputs["effort"],
        seeds=(inputs["calibration_seed"],),
        name=inputs["name"],
    )
    return to_bytes(preset)


@dataclass
class FakeComfy:
    """A server on a free port; a context manager.

    Args:
        checkpoints: files that it lists.
        seconds: that a fit takes, cut into `calls` naps; loading another checkpoint takes `loading`.
        shared: records of unfinished fits by their names, calls made so far; shared between servers by whoever
            hands the same dict to them.
        token: the Authorization header that it wants.
    Attributes:
        calls_made: naps taken, in all.
        ended: names of the jobs in the order made.
    """

    checkpoints: list[str] = field(default_factory=lambda: ["a.safetensors", "b.safetensors"])
    seconds: float = 0.05
    calls: int = 5
    loading: float = 0.0
    shared: dict[str, int] = field(default_factory=dict)
    token: str = ""
    version: str = field(default_factory=build)
    has_pack: bool = True
    is_comfy: bool = True
    error: str = ""
    calls_made: int = 0
    loads: int = 0
    ended: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.presets = 0, {}
        self.interrupted: list[str] = []
        self._loaded = ""
        self._server: Any = None

    def __enter__(self) -> FakeComfy:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin, or begin anew on the same port with nothing in the queue."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake._answer(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake._answer(self, json.loads(body))

            def log_message(self, format: str, *_: Any) -> None:
                pass

        self._queue: deque[tuple[str, dict[str, Any]]] = deque()
        self._running: str | None = None
        self._history: dict[str, Any] = {}
        self._stopping, self._interrupt = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}),
            threading.Thread(target=self._work),
        ]
        for thread in self._threads:
            thread.start()

    def kill(self) -> None:
        """End without a word; what ran is lost but for its records."""
        if self._server is not None:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            for thread in self._threads:
                thread.join()
            self._server = None

    def _work(self) -> None:
        while not self._stopping.wait(0.002):
            if self._queue:
                self._running, graph = self._queue.popleft()
                try:
                    entry = self._made(graph)
                except Exception as error:  # as the host: a node's failure ends its prompt alone
                    message = ["execution_error", {"exception_message": repr(error)}]
                    entry = {"status": {"status_str": "error", "messages": [message]}}
                if not self._stopping.is_set():
                    self._history[self._running] = entry
                self._running = None

    def _made(self, graph: dict[str, Any]) -> dict[str, Any]:
        """The history entry of a graph that is run."""
        fit = next(node["inputs"] for node in graph.values() if node["class_type"] == "SigmasmithFit")
        name, loader = fit["name"], graph["load"]["inputs"]["ckpt_name"]
        if name in self.presets and not fit["refit"]:
            return {"status": {"status_str": "success", "messages": []}}
        if loader != self._loaded:
            self._loaded, self.loads = loader, self.loads + 1
            self._stopping.wait(self.loading)
        for number in range(self.shared.get(name, 0), self.calls):
            if self._stopping.wait(self.seconds / self.calls) or self._interrupt.is_set():
                self._interrupt.clear()
                return {"status": {"status_str": "error", "messages": [["execution_interrupted", {}]]}}
            self.calls_made += 1
            self.shared[name] = number + 1
        if self.error:
            message = ["execution_error", {"exception_message": self.error}]
            return {"status": {"status_str": "error", "messages": [message]}}
        self.presets[name] = fitted(graph)
        self.shared.pop(name, None)
        self.ended.append(name)
        return {"status": {"status_str": "success", "messages": []}}

    def _answer(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        status, value = self._status_and_value(handler, body)
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _status_and_value(self, handler: BaseHTTPRequestHandler, body: Any) -> tuple[int, Any]:
        path = handler.path
        if self.token and handler.headers.get("Authorization") != self.token:
            return 401, b"who are you?"
        if not self.is_comfy:
            return 200, b"<html>another program</html>"
        if path == "/system_stats":
            return 200, {"system": {"comfyui_version": "0.30.0"}}
        if path.startswith("/object_info/"):
            return 200, self._info(path.rsplit("/", 1)[1])
        if path.startswith("/history/"):
            prompt = path.rsplit("/", 1)[1]
            return 200, {prompt: self._history[prompt]} if prompt in self._history else {}
        if path == "/prompt":
            self._queue.append((body["prompt_id"], body["prompt"]))
            return 200, {"prompt_id": body["prompt_id"], "node_errors": {}}
        if path == "/queue" and body is None:
            running = [[0, self._running]] if self._running else []
            return 200, {"queue_running": running, "queue_pending": [[1, prompt] for prompt, _ in self._queue]}
        if path == "/queue":
            self._queue = deque(entry for entry in self._queue if entry[0] not in body["delete"])
            return 200, b""
        if path == "/interrupt":
            if body["prompt_id"] == self._running:
                self.interrupted.append(body["prompt_id"])
                self._interrupt.set()
            return 200, b""
        if path == "/sigmasmith/about" and self.has_pack and self.version:
            return 200, {"build": self.version}
        if path == "/sigmasmith/library/export" and self.has_pack:
            return (200, self.presets[body["name"]]) if body["name"] in self.presets else (404, {"error": "gone"})
        return 404, b""

    def queue_theirs(self, name: str = "theirs", checkpoint: str = "a.safetensors") -> None:
        """Somebody else's prompt on this server."""
        inputs = {"name": name, "refit": True, "steps": "4", "sampler_name": "euler", "cfg": 1.0, "effort": "fast"}
        fit = {"class_type": "SigmasmithFit", "inputs": inputs | {"calibration_seed": 0}}
        self._queue.append(
            (f"prompt of {name}", {"load": {"inputs": {"ckpt_name": checkpoint}, "class_type": ""}, "fit": fit})
        )

    def has(self, prompt: str) -> bool:
        """Whether a prompt of this id waits or runs."""
        return self._running == prompt or any(prompt == entry[0] for entry in self._queue)

    def wait_until_running(self, timeout: float = 10.0) -> str:
        """The id of the prompt that runs, once one does."""
        deadline = time.monotonic() + timeout
        while (running := self._running) is None:
            assert time.monotonic() < deadline, "nothing runs"
            time.sleep(0.002)
        return running

    def _info(self, kind: str) -> dict[str, Any]:
        fit = dict.fromkeys(("model", "positive", "negative", "latent"), _LINK) | {
            "cfg": ["FLOAT", {"min": 0.0, "max": 100.0}],
            "sampler_name": [["euler", "dpmpp_2m", "sigmasmith_multistep"], {}],
            "steps": _TEXT,
        }
        known = {
            "CheckpointLoaderSimple": {"ckpt_name": ["COMBO", {"options": self.checkpoints}]},
            "LoraLoader": {"model": _LINK, "clip": _LINK, "lora_name": [["style\\ink.safetensors"], {}]},
            "LoraLoaderModelOnly": {"model": _LINK, "lora_name": [["style\\ink.safetensors"], {}]},
            "CLIPTextEncode": {"clip": _LINK, "text": _TEXT},
            "EmptyLatentImage": {"width": ["INT", {"min": 16, "max": 16384}]},
        } | ({"SigmasmithFit": fit} if self.has_pack else {})
        return {kind: {"input": {"required": known[kind]}}} if kind in known else {}
