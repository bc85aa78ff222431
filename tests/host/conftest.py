"""The servers that tests share, started when the first of them runs: one ComfyUI, and the WebUIs by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .answers import ok
from .pack_graphs import STEPS, fit_graph
from .server import ComfyServer, Result, find_host, make_tiny_models
from .webui_hosts import KINDS, find_webui
from .webui_server import WebuiServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("comfy")
    make_tiny_models(host, base / "models")
    with ComfyServer(host, base, pack=Path(__file__).resolve().parents[2]) as running:
        yield running


@pytest.fixture(scope="session")
def sd3(server: ComfyServer) -> Result:
    """The result of a fit of tiny_sd3, saved as the preset sd3."""
    return ok(server.run(fit_graph("tiny_sd3", name="sd3", steps=f"{STEPS}, 6")))


@pytest.fixture(scope="module", params=list(KINDS))
def webui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebuiServer]:
    """Each WebUI in turn, for all tests of a module."""
    host, reason = find_webui(request.param)
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp(host.name.lower())
    with WebuiServer(host, base, pack=Path(__file__).resolve().parents[2]) as running:
        yield running
