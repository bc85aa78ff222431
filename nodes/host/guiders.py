"""Guiders: the one that a KSampler makes, and what a guider says of itself."""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import comfy.samplers

# What the host tells a model with guidance embedding where no node says otherwise.
_TOLD_BY_DEFAULT = 3.5


def cfg_guider(model: Any, positive: Any, negative: Any, cfg: float, name: str = "cfg") -> Any:
    """The guider that a KSampler makes of these inputs.

    Args:
        name: of the input that `cfg` came from.
    Raises:
        ValueError: names that input.
    """
    if not math.isfinite(cfg):
        raise ValueError(f"{name}: must be a finite number, got {cfg}")
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def conditionings_of(guider: Any) -> dict[str, Any]:
    """The guider's conditionings by the host's names for them; empty where it keeps them elsewhere."""
    return getattr(guider, "original_conds", None) or {}


def guidance_of(guider: Any) -> float | None:
    """The guider's guidance where it has a single one, and uses it."""
    cfg = getattr(guider, "cfg", None)
    return float(cfg) if isinstance(cfg, (int, float)) and _uses_cfg(type(guider)) else None


def guidance_facts(guider: Any) -> dict[str, Any]:
    """How the guider guides beside one CFG: its kind and its own numbers, and the guidance that the model is told.

    Empty under a plain CFG on a model that is told none.
    """
    facts: dict[str, Any] = {}
    if getattr(type(guider), "predict_noise", None) is not comfy.samplers.CFGGuider.predict_noise:
        facts["guider"] = type(guider).__name__
    for name, value in sorted(vars(guider).items()):
        if isinstance(value, (bool, int, float)) and not name.startswith("_") and name != "cfg":
            facts[name] = float(value)
    told = _told_guidance(guider)
    return facts if told is None else facts | {"told": told}


def _uses_cfg(kind: type[Any]) -> bool:
    """Whether a kind of guider reads `self.cfg` as it guides: DualCFG and others leave it at 1 and have their own."""
    own = [base for base in kind.__mro__ if base not in comfy.samplers.CFGGuider.__mro__]
    if not any("predict_noise" in vars(base) for base in own):
        return True
    parts = [part for base in own for name, part in vars(base).items() if name not in ("__init__", "set_cfg")]
    return any("cfg" in part.__code__.co_names for part in parts if isinstance(part, FunctionType))


def _told_guidance(guider: Any) -> float | None:
    """The guidance that a distilled model is told beside the prompt (FluxGuidance); None for one that takes none."""
    conds = [cond if isinstance(cond, dict) else cond[1] for cond in conditionings_of(guider).get("positive") or ()]
    told = [float(cond["guidance"]) for cond in conds if isinstance(cond.get("guidance"), (int, float))]
    if told:
        return told[0]
    takes = getattr(guider.model_patcher.model.model_config, "unet_config", {}).get("guidance_embed")
    return _TOLD_BY_DEFAULT if takes else None
