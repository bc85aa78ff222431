"""The ComfyUI layer: one file per node family, listed in extension.py; only `host/` imports the host's modules.

Nothing of a host is imported before the extension is asked for, so the host-free parts can be used without one.
"""

from __future__ import annotations

from typing import Any

LOGGER_NAME = "sigmasmith"


def __getattr__(name: str) -> Any:
    if name == "SigmasmithExtension":
        from .extension import SigmasmithExtension

        return SigmasmithExtension
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
