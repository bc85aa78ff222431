"""Run by the host's interpreter: the pack against the host's own classes, without a server.

Usage: python in_process.py COMFYUI PACK [CHECKS ...]. Runs every test_* function of checks_*.py, or of those named, and
prints one JSON object: `results`, name -> traceback or null, `import_seconds` of an idle core, and `figures` that
checks measured.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

CHECKS = (
    "checks_adaptive",
    "checks_auto",
    "checks_bounds",
    "checks_compare",
    "checks_experts",
    "checks_feedback",
    "checks_fit",
    "checks_guidance",
    "checks_identity",
    "checks_multistep",
    "checks_partial",
    "checks_pictures",
    "checks_refusals",
    "checks_rewards",
    "checks_samplers",
    "checks_search",
    "checks_told",
    "checks_trials",
    "checks_use",
    "checks_variance",
    "checks_words",
)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    # First: it puts the host on the path and on the CPU, which must be before anything else of the host is imported.
    loaded = importlib.import_module("loaded_pack")
    results: dict[str, str | None] = {}
    for checks in sys.argv[3:] or CHECKS:
        for name, function in vars(importlib.import_module(checks)).items():
            if name.startswith("test_"):
                try:
                    function()
                    results[name] = None
                except BaseException:  # the host's interrupt is one
                    results[name] = traceback.format_exc()
                loaded.comfy.model_management.interrupt_current_processing(False)
    print(json.dumps({"results": results, "import_seconds": loaded.IMPORT_SECONDS, "figures": loaded.FIGURES}))


if __name__ == "__main__":
    main()
