"""What the server tests ask a running host for."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

from PIL import Image

from .graphs import Graph
from .server import ComfyServer, PromptRejectedError, Result


def ok(result: Result) -> Result:
    assert result.status == "success", json.dumps(result.error, indent=1)
    return result


def said_by(server: ComfyServer, graph: Graph) -> list[str]:
    """Warnings on the page during a run that must succeed."""
    server.events.clear()
    ok(server.run(graph))
    time.sleep(0.1)  # messages pass through the host's queue
    return [message["text"] for message in server.events.of_type("sigmasmith.message") if message["warning"]]


def picture(server: ComfyServer, result: Result, where: str = "save") -> bytes:
    return server.fetch(result.outputs[where]["images"][0])


def pixels(server: ComfyServer, result: Result) -> bytes:
    """The saved image without the graph that the host writes into the file."""
    return Image.open(io.BytesIO(picture(server, result))).convert("RGB").tobytes()


def preset_file(server: ComfyServer, name: str) -> Path:
    return server.base / "models" / "sigmasmith" / f"{name}.safetensors"


def text_of(result: Result, where: str) -> str:
    return result.outputs[where]["text"][0]


def error_of(server: ComfyServer, graph: Graph) -> str:
    """What the person is told, whether the host refuses the graph or a node fails."""
    try:
        result = server.run(graph)
    except PromptRejectedError as refused:
        errors = refused.reply["node_errors"].values()
        return " ".join(error["details"] for entry in errors for error in entry["errors"])
    assert result.status == "error", result
    assert result.error is not None
    return result.error["exception_message"]


def records(server: ComfyServer) -> set[Path]:
    """Files of unfinished fits."""
    return set((server.base / "user").rglob("unfinished/*/*.record"))


def wait_for_records(server: ComfyServer, before: set[Path]) -> set[Path]:
    """The records that a running fit has written, once there are some."""
    deadline = time.monotonic() + 60.0
    while not records(server) - before:
        assert time.monotonic() < deadline, "the fit wrote no record"
        time.sleep(0.1)
    return records(server) - before
