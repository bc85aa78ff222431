"""A real browser on the host's page: checks are written in JavaScript (page/*.mjs) and run by node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Browser:
    """The programs that a page test needs."""

    node: str
    puppeteer: Path
    chromium: str


def find_browser() -> tuple[Browser | None, str]:
    """node, puppeteer-core (below PUPPETEER_PATH or the repository) and Chromium (or CHROMIUM), or None and why."""
    node = shutil.which("node")
    if node is None:
        return None, "no node: install Node.js 20 or later"
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        return None, "no Chromium: install it, or set CHROMIUM"
    for folder in (os.environ.get("PUPPETEER_PATH"), str(ROOT)):
        package = Path(folder or "nowhere").expanduser() / "node_modules" / "puppeteer-core"
        if package.is_dir():
            entry = json.loads((package / "package.json").read_text(encoding="utf-8"))["exports"]["."]
            return Browser(node, package / _module(entry), chromium), ""
    return None, "no puppeteer-core: `npm install puppeteer-core` somewhere, and set PUPPETEER_PATH to that folder"


def _module(entry: Any) -> str:
    """The ES module of a package's main export."""
    while isinstance(entry, dict):
        entry = entry.get("import") or entry.get("default")
    return entry


def check_page(
    browser: Browser, checks: str, port: int, renderer: str, folder: Path, timeout: float = 300.0
) -> dict[str, Any]:
    """Run page/<checks>.mjs; {"results": check -> error or None, "figures": {...}} or {"skipped": reason}.

    Raises:
        AssertionError: the run itself failed.
    """
    command = [browser.node, str(HERE / "page" / f"{checks}.mjs"), str(browser.puppeteer), browser.chromium]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/", renderer, str(folder)],
        capture_output=True,
        text=True,
        timeout=timeout * float(os.environ.get("PAGE_SLOWNESS", "1")),  # as driver.mjs waits
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])
