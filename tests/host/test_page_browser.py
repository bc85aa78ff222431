"""The page in a real browser on a real server, with the classic canvas and with Nodes 2.0. Checks: page/*.mjs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser, check_page, find_browser
from .page_files import lay_out
from .server import ComfyServer, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def browser() -> Browser:
    found, reason = find_browser()
    if found is None:
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module", params=["classic", "vue"])
def server(browser, request, tmp_path_factory) -> Iterator[tuple[ComfyServer, str, Path]]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp(f"comfy_{request.param}")
    make_tiny_models(host, base / "models")
    folder = base / "browser"
    lay_out(base / "models" / "sigmasmith", folder / "files")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    # Its tutorial would lie over the page at the first start.
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True, "Comfy.VueNodes.Enabled": request.param == "vue"}))
    with ComfyServer(host, base, pack=ROOT) as running:
        yield running, request.param, folder


@pytest.mark.parametrize("checks", ["live_curve", "library"])
def test_everything_that_a_person_does_on_the_page_works(browser, server, checks, record_property):
    running, renderer, folder = server
    answer = check_page(browser, checks, running.port, renderer, folder)
    if "skipped" in answer:
        pytest.skip(answer["skipped"])
    print(f"{checks} {renderer}: {answer['figures']}")
    record_property("figures", answer["figures"])
    failed = {name: error for name, error in answer["results"].items() if error}
    assert len(answer["results"]) > 10
    assert not failed, "\n\n".join(f"{name}\n{error}" for name, error in failed.items())
    assert "Traceback" not in running.log()


def test_from_an_own_graph_to_a_used_fit_and_what_is_seen_of_it(browser, server, record_property):
    running, renderer, folder = server
    answer = check_page(browser, "outcome", running.port, renderer, folder, timeout=600.0)
    if "skipped" in answer:
        pytest.skip(answer["skipped"])
    print(f"outcome {renderer}: {answer['figures']}")
    record_property("figures", answer["figures"])
    failed = {name: error for name, error in answer["results"].items() if error}
    assert len(answer["results"]) == 10
    assert not failed, "\n\n".join(f"{name}\n{error}" for name, error in failed.items())
