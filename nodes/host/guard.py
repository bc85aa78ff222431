"""Model patches that a fit cannot run through, for they keep state from step to step; named, never ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..text import in_words

_MOST_NAMED = 8
# Entries of transformer_options that caches of node packs leave there, beside every name with "cache" in it.
_CACHE_MARKS = {"rel_l1_thresh": "TeaCache", "teacache_thresh": "TeaCache", "mag_ratios": "MagCache"}
_KNOWN = {"easycache": "EasyCache", "lazycache": "LazyCache", "teacache": "TeaCache", "magcache": "MagCache"}


def check_fittable(guider: Any, work: str = "fit") -> None:
    """Raise ValueError that names everything in the way of a fit or a comparison (`work`), and what to do."""
    kept = step_state(guider)
    if kept:
        raise ValueError(
            f"model: {in_words(kept)} keep{'s' if len(kept) == 1 else ''} state from step to step, so schedules "
            f"cannot be compared through it. Bypass it (Ctrl+B) for the {work}; the schedule works with it too."
        )


def step_state(guider: Any) -> list[str]:
    """Names of all on the model that keeps state from step to step."""
    return list(dict.fromkeys(_in_the_way(guider)))


def suspects_in_words(guiders: Iterable[Any]) -> str:
    """A sentence that names all that node packs have put on the models, for whoever looks for the one to blame."""
    names = list(dict.fromkeys(name for guider in guiders for name in _suspects(guider)))
    return f"On the model: {in_words(names[:_MOST_NAMED])}." if names else ""


def _suspects(guider: Any) -> Iterator[str]:
    if type(guider).__module__.partition(".")[0] != "comfy":
        yield f"the guider {type(guider).__name__}"
    for key, value in guider.model_options.items():
        if key != "transformer_options":
            yield from map(_origin, _functions(value))
    options = guider.model_options.get("transformer_options", {})
    for place in ("patches", "patches_replace", "wrappers", "callbacks"):
        yield from map(_origin, _functions(options.get(place, {})))
    for place in guider.model_patcher.wrappers.values():  # without our own, which only look on
        yield from map(_origin, _functions({key: held for key, held in place.items() if not _is_ours(key)}))
    for name, patch in guider.model_patcher.object_patches.items():
        yield f"{_origin(patch)} in place of {name}"


def _is_ours(key: Any) -> bool:
    return str(key).startswith("sigmasmith")


def _functions(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (function for entry in value.values() for function in _functions(entry))
    elif isinstance(value, (list, tuple)):
        yield from (function for entry in value for function in _functions(entry))
    elif callable(value):
        yield value


def _origin(function: Any) -> str:
    """A function by its own name and that of the file it is from, without the path."""
    kind = function if hasattr(function, "__qualname__") else type(function)
    module = str(getattr(kind, "__module__", "")).replace("\\", "/").rpartition("/")[2].rpartition(".")[2]
    name = kind.__qualname__.replace(".<locals>", "")
    return f"{name} ({module})" if module else name


def _in_the_way(guider: Any) -> Iterator[str]:
    for options in (guider.model_options, guider.model_patcher.model_options):
        if options.get("context_handler") is not None:
            yield "Context Windows"
        yield from _caches(options.get("transformer_options", {}))
        wrapper = options.get("model_function_wrapper")
        if wrapper is not None and (name := _cache_name(_origin(wrapper))):
            yield name
    yield from (name for key in _wrapper_keys(guider.model_patcher.wrappers) if (name := _cache_name(key)))
    if any(_timed(cond) for conds in guider.original_conds.values() for cond in conds):
        yield "a hook with keyframes"


def _caches(options: dict[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if "cache" in str(getattr(value, "name", "")).lower():  # one entry of the host holds one of two
            yield str(value.name)
        elif key in _CACHE_MARKS:
            yield _CACHE_MARKS[key]
        elif name := _cache_name(str(key)):
            yield name
    yield from (name for key in _wrapper_keys(options.get("wrappers", {})) if (name := _cache_name(key)))


def _wrapper_keys(wrappers: dict[str, dict[Any, Any]]) -> Iterator[str]:
    for kind in wrappers.values():
        yield from (str(key) for key, functions in kind.items() if functions)


def _cache_name(text: str) -> str | None:
    lowered = text.lower()
    if "cache" not in lowered:
        return None
    bare = text.replace("\\", "/").rpartition("/")[2]  # some packs use the path of their file for a key
    return next((name for mark, name in _KNOWN.items() if mark in lowered), f"the step cache {bare!r}")


def _timed(cond: Any) -> bool:
    """Whether a conditioning carries a hook whose strength changes over the steps."""
    options = cond if isinstance(cond, dict) else cond[1]
    group = options.get("hooks")
    for hook in getattr(group, "hooks", ()):
        frames = getattr(getattr(hook, "hook_keyframe", None), "keyframes", ())
        if len(frames) > 1 or any(getattr(frame, "start_percent", 0.0) > 0.0 for frame in frames):
            return True
    return False
