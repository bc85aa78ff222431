"""The panel in a real browser on real WebUIs, of Gradio 3 (reForge) and Gradio 4 (Forge). Checks: page/webui_*.mjs.

The HTTP API alone does not see what the page does between two generations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser, check_page, find_browser
from .webui_server import WebuiServer, find_webui

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def browser() -> Browser:
    found, reason = find_browser()
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module", params=["FORGE", "REFORGE"])
def server(browser, request, tmp_path_factory) -> Iterator[WebuiServer]:
    host, reason = find_webui(request.param)
    if host is None:
        pytest.skip(reason)
    with WebuiServer(host, tmp_path_factory.mktemp(request.param.lower()), ROOT) as running:
        yield running


def test_the_panel_does_on_the_page_what_a_person_asks_for(browser, server, record_property):
    folder = server.base / "browser"
    answer = check_page(browser, "webui_panel", server.port, server.host.name.lower(), folder, timeout=1800.0)
    print(f"{server.host.name}: {answer['figures']}")
    record_property("figures", answer["figures"])
    failed = {name: error for name, error in answer["results"].items() if error}
    assert not failed, "\n\n".join(f"{name}\n{error}" for name, error in failed.items())
    assert answer["figures"]["idle"] == answer["figures"]["idleAfterImage"] == 0
    assert answer["figures"]["fits"] == 10
