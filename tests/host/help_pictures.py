"""Make the pictures of the help pages: every node in the real page, after a run with the tiny models.

Run `python -P -m sigmasmith.tests.host.help_pictures` with the package installed; browser.py says what else it needs.
It writes web/docs/images/<node id>.png, 64 colours each.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from .browser import check_page, find_browser
from .locate import find_host, make_tiny_models
from .pack_graphs import fit_graph
from .server import ComfyServer

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = Path(__file__).with_name("help_workflow.json")
IMAGES = ROOT / "web" / "docs" / "images"


def main() -> None:
    """Write all pictures."""
    host, reason = find_host()
    if host is None:
        raise SystemExit(reason)
    browser, reason = find_browser()
    if browser is None:
        raise SystemExit(reason)
    base = Path(tempfile.mkdtemp(prefix="sigmasmith-help-"))
    make_tiny_models(host, base / "models")
    shutil.copy(WORKFLOW, base)
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))
    with ComfyServer(host, base, pack=ROOT) as server:
        # The loading node needs a preset to show.
        assert server.run(fit_graph("tiny_sd3", name="portraits", steps="6, 10, 20")).status == "success"
        answer = check_page(browser, "help_pictures", server.port, "classic", base, timeout=600.0)
    assert answer["results"]["pictures"] is None, answer["results"]["pictures"]
    IMAGES.mkdir(exist_ok=True)
    for path in sorted(base.glob("Sigmasmith*.png")):
        smaller = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
        smaller.save(IMAGES / path.name, optimize=True)


if __name__ == "__main__":
    main()
