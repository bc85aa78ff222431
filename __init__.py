"""Sigmasmith: step schedules fitted to the diffusion model you run. ComfyUI entry; see README.md."""

from __future__ import annotations

import logging
from typing import Any

WEB_DIRECTORY = "web"


async def comfy_entrypoint() -> Any:
    """Return the ComfyExtension. Imports inside: at module level they would break every import without a host."""
    try:
        from .nodes.extension import SigmasmithExtension

        return SigmasmithExtension()
    except Exception:
        # The host logs only str(error); a traceback is what a bug report needs.
        logging.getLogger("sigmasmith").exception("Sigmasmith could not be loaded")
        raise
