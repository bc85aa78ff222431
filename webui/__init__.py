"""The layer for A1111 and its descendants (Forge, reForge); only `host/` imports the host's modules.

scripts/sigmasmith_webui.py mounts the tree under its package name and registers what is here.
"""

from __future__ import annotations

LOGGER_NAME = "sigmasmith"
