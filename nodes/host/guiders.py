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
    """The guider's guidance where it uses a single one.

    Every guider has the host's attribute `cfg`; one of a kind of its own that never reads it guides by other numbers.
    """
    code = getattr(getattr(type(guider), "predict_noise", None), "__code__", None)
    cfg = getattr(guider, "cfg", None) if code is None or "cfg" in code.co_names else None
    return float(cfg) if isinstance(cfg, (int, float)) else None
