"""What scripts/sigmasmith_webui.py calls: register everything, return the script class."""

from __future__ import annotations

from typing import Any


def load() -> type[Any]:
    """Register schedulers, samplers and callbacks with the host; safe to call again after a reload."""
    from . import samplers, schedulers, script
    from .host import registries as _host

    _host.show_log()
    _host.register(schedulers.functions(), samplers.entries())
    script.register_callbacks()
    return script.SigmasmithScript
