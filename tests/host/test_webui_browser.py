"""The panel in a real browser on real WebUIs, of Gradio 3 (reForge, A1111) and Gradio 4 (Forge, Neo).

The checks are page/webui_*.mjs. The HTTP API alone does not see what the page does between two generations.
"""

from __future__ import annotations

import pytest

from .browser import Browser, check_page, find_browser

# Files of checks, and figures that they must give: requests of an idle page, fits that ten clicks start.
FIGURES = {"webui_panel": {"idle": 0, "idleAfterImage": 0, "fits": 10}, "webui_use": {}}
pytestmark = [pytest.mark.host, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Browser:
    found, reason = find_browser()
    if found is None:
        pytest.skip(reason)
    return found


@pytest.mark.parametrize("checks", list(FIGURES))
def test_the_panel_does_on_the_page_what_a_person_asks_for(browser, webui, checks, record_property):
    folder = webui.base / "browser"
    answer = check_page(browser, checks, webui.port, webui.host.name.lower(), folder, timeout=1800.0)
    print(f"{webui.host.name}: {answer['figures']}")
    record_property("figures", answer["figures"])
    failed = {name: error for name, error in answer["results"].items() if error}
    assert not failed, "\n\n".join(f"{name}\n{error}" for name, error in failed.items())
    assert answer["figures"].items() >= FIGURES[checks].items()
