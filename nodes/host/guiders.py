"""Guiders: the one that a KSampler makes, and what a guider says of itself."""

from __future__ import annotations

from typing import Any

import comfy.samplers


def cfg_guider(model: Any, positive: Any, negative: Any, cfg: float) -> Any:
    """The guider that a KSampler makes of these inputs."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def guidance_of(guider: Any) -> float | None:
    """The guider's guidance where it has a single one."""
    cfg = getattr(guider, "cfg", None)
    return float(cfg) if isinstance(cfg, (int, float)) else None
