"""All on a host's model, beside its weights, that changes what it returns: as a digest, and by name.

Nodes put functions on a model in a dozen places. They count by their code and by the settings they were made with
(schedules/core/digest.py), so that RescaleCFG at 0.7 and at 0.8 are two things, in every session.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

import comfy.controlnet
import comfy.hooks
import comfy.model_patcher

from ...schedules.core.digest import digest_of
from ...schedules.presets.made import HowMade
from .guiders import conditionings_of, guidance_facts

# Entries of options that change no output, and what identity.py reads itself.
_QUIET = {"disable_cfg1_optimization", "sample_sigmas", "sigmas", "wrappers", "callbacks", "transformer_options"}
_OWN_OBJECTS = {"model_sampling"}
_SAMPLED = 64  # values of each of a hook's weights


def changes_of(model: Any) -> dict[str, Any]:
    """All that hangs on a model, by its place there; empty for one as it was loaded. Our own watchers do not count."""
    options = model.model_options
    transformer = options.get("transformer_options", {})
    places: dict[str, Any] = {key: value for key, value in options.items() if key not in _QUIET}
    places |= {f"transformer.{key}": value for key, value in transformer.items() if key not in _QUIET}
    for kind in ("wrappers", "callbacks"):
        for held in (getattr(model, kind, {}), options.get(kind, {}), transformer.get(kind, {})):
            for name, functions in held.items():
                places.setdefault(f"{kind}.{name}", []).append(_foreign(functions))
    places["injections"] = getattr(model, "injections", {})
    places["objects"] = {key: item for key, item in model.object_patches.items() if key not in _OWN_OBJECTS}
    return {place: value for place, value in places.items() if not _is_empty(value)}


def hooks_of(conditionings: Mapping[str, Any]) -> list[Any]:
    """Hooks that conditionings put on the model as they run, such as a LoRA."""
    conds = [
        cond if isinstance(cond, dict) else cond[1] for entries in conditionings.values() for cond in entries or ()
    ]
    groups = [cond["hooks"] for cond in conds if cond.get("hooks") is not None]
    return list({id(hook): hook for group in groups for hook in getattr(group, "hooks", ())}.values())


def running_facts(guider: Any) -> HowMade:
    """Facts of a run that a preset keeps beside model, guidance and sampler."""
    changes = [changes_of(guider.model_patcher), hooks_of(conditionings_of(guider))]
    return HowMade(guidance=guidance_facts(guider), on_model=names_of(changes))


def digest(value: Any) -> str:
    """Digest of whatever hangs on a model or in a conditioning."""
    return digest_of(value, plain=plain)


def names_of(changes: Any) -> tuple[str, ...]:
    """Names of the nodes that changes come from, as far as they tell, sorted."""
    return tuple(sorted({name for name in _names(changes) if name}))


def plain(value: Any) -> Any:
    """A host's object in plain values, without what it keeps as it runs."""
    if isinstance(value, comfy.model_patcher.ModelPatcher):
        return [type(value.model).__qualname__, len(value.patches)]
    if isinstance(value, comfy.hooks.WeightHook):
        weights = digest_of(getattr(value, "weights", None), sampled=_SAMPLED)
        return [type(value).__qualname__, float(value.strength_model), weights]
    if isinstance(value, comfy.controlnet.ControlBase):
        settings = ("strength", "timestep_percent_range", "cond_hint_original", "extra_args", "strength_type")
        model = getattr(value, "control_model", None)
        kind = [type(value).__qualname__, model, value.previous_controlnet]
        return [*kind, *(getattr(value, name, None) for name in settings)]
    return value


def _foreign(functions: Any) -> Any:
    """Functions by the key of who put them there, without ours."""
    if not isinstance(functions, Mapping):
        return functions
    return {key: entry for key, entry in functions.items() if not str(key).startswith("sigmasmith")}


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(entry) for entry in value.values())
    if isinstance(value, (list, tuple, set)):
        return all(_is_empty(entry) for entry in value)
    return value is None


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from _names(entry)
    elif isinstance(value, (list, tuple, set)):
        for entry in value:
            yield from _names(entry)
    elif isinstance(value, functools.partial):
        yield from _names(value.func)
    elif isinstance(value, MethodType):
        yield type(value.__self__).__name__
    elif isinstance(value, FunctionType):
        # A node's function is made in its method: RescaleCFG.patch.<locals>.rescale_cfg.
        yield value.__qualname__.split(".")[0]
    elif not isinstance(value, (str, int, float, bool, type(None))):
        yield type(value).__name__
