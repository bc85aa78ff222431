"""The example workflows in a real browser: they open without a dialog, can be read, and run from there to an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .browser import check_page, find_browser
from .server import ComfyServer, find_host, make_tiny_models
from .workflows import TINY

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"EmptyLatentImage", "EmptySD3LatentImage", "EmptyHunyuanLatentVideo", "ImageScale"}


def with_tiny_models(workflow: dict[str, Any]) -> dict[str, Any]:
    """The same workflow with small files and small pictures; nothing else of it changes."""
    for item in workflow["nodes"]:
        values = [TINY.get(value, value) if isinstance(value, str) else value for value in item["widgets_values"]]
        if item["type"] in SIZES:
            # Width, height and the length of a clip; a batch stays.
            values = [min(value, 64) if isinstance(value, int) else value for value in values]
        if item["type"] == "EmptyHunyuanLatentVideo":
            values[2] = 9
        if item["type"] == "EmptyLatentImage":
            item["type"] = "EmptySD3LatentImage"
        if item["type"] == "SigmasmithAuto":
            values[3] = 0.0  # minutes: a slow machine would come over the limit
        if item["type"] == "DualCLIPLoader":
            item["type"], values = "CLIPLoader", [values[0], "", values[3]]
        if item["type"] == "CLIPLoader":
            values[1] = "sd3"
        item["widgets_values"] = values
    return workflow


def test_every_workflow_opens_and_runs_from_the_page(tmp_path):
    browser, reason = find_browser()
    if browser is None:
        pytest.skip(reason)
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path / "comfy"
    make_tiny_models(host, base / "models")
    (base / "input").mkdir()
    Image.radial_gradient("L").convert("RGB").save(base / "input" / "example.png")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))
    (tmp_path / "workflows").mkdir()
    for file in (ROOT / "example_workflows").glob("*.json"):
        workflow = with_tiny_models(json.loads(file.read_text(encoding="utf-8")))
        (tmp_path / "workflows" / file.name).write_text(json.dumps(workflow))
    with ComfyServer(host, base, pack=ROOT) as server:
        answer = check_page(browser, "workflows", server.port, "classic", tmp_path, timeout=1_800.0)
    failed = {name: error for name, error in answer["results"].items() if error}
    assert len(answer["results"]) >= 30
    assert not failed, "\n\n".join(f"{name}\n{error}" for name, error in failed.items())
