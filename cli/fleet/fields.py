"""The fields of a job: what each may hold, and which kinds of job have it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...schedules.core.words import parse_steps
from ...schedules.presets.checks import PresetError
from ...schedules.presets.names import check_name

# What a job fits: the first two on a ComfyUI server, the last two through Ray.
COMFY, RAY = ("checkpoint", "workflow"), ("model", "denoiser")
KINDS = (*COMFY, *RAY)
EFFORTS = ("quick", "fast", "balanced", "thorough")


class BadFieldError(ValueError):
    """A field of a job that cannot be used; the sentence names it."""


@dataclass(frozen=True)
class Field:
    """A field and the values that it may hold.

    Args:
        check: makes of the value what is used, or raises ValueError with what it must be.
        kinds: of jobs that have it; `needed`: those that cannot be without.
    """

    check: Callable[[Any], Any]
    kinds: tuple[str, ...] = KINDS
    needed: tuple[str, ...] = ()


def checked_field(name: str, value: Any) -> Any:
    """The value of a field as it is used.

    Raises:
        BadFieldError: names the field.
    """
    try:
        return FIELDS[name].check(value)
    except BadFieldError:
        raise
    except ValueError as error:
        raise BadFieldError(f"{name} must be {error}, got {value!r:.80}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value


def _name(value: Any) -> str:
    try:
        return check_name(_text(value))
    except PresetError as error:
        raise BadFieldError(f"name: {error}") from None


def _any_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _number(least: float, most: float, above: bool = False) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        sane = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not sane or not least <= value <= most or (above and value == least):
            raise ValueError(f"a number {'above' if above else 'from'} {least:g} {'up ' if above else ''}to {most:g}")
        return float(value)

    return check


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return check


def _steps(value: Any) -> str:
    counts = value if isinstance(value, list) else [value]
    if not counts or not all(isinstance(count, (int, str)) and not isinstance(count, bool) for count in counts):
        raise ValueError("a step count or a list of them")
    text = ", ".join(map(str, counts))
    try:
        parse_steps(text)
    except ValueError as error:
        raise BadFieldError(str(error)) from None
    return text


def _size(value: Any) -> tuple[int, int]:
    parts = value.lower().split("x") if isinstance(value, str) else value
    if isinstance(parts, list) and len(parts) == 2 and all(str(part).strip().isdigit() for part in parts):
        width, height = (int(part) for part in parts)
        if min(width, height) >= 16 and max(width, height) <= 16_384:
            return width, height
    raise ValueError('width and height in pixels, such as "1024x768"')


def _prompts(value: Any) -> tuple[str, ...]:
    prompts = [value] if isinstance(value, str) else value
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= 4 or not all(isinstance(p, str) for p in prompts):
        raise ValueError("one to four texts")
    return tuple(prompts)


def _loras(value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, list):
        raise ValueError("a list of LoRAs")
    loras: list[tuple[str, float]] = []
    for entry in value:
        named = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(named, dict) or not {"name"} <= named.keys() <= {"name", "strength"}:
            raise ValueError('a list of names, or of {"name": ..., "strength": ...}')
        loras.append((_text(named["name"]), _number(-100.0, 100.0)(named.get("strength", 1.0))))
    return tuple(loras)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(type(size) is int and 0 < size <= 10**6 for size in value):
        raise ValueError("a list of whole numbers, such as [4, 64, 64]")
    return tuple(value)


def _effort(value: Any) -> str:
    if value not in EFFORTS:
        raise ValueError(f"one of {', '.join(EFFORTS)}")
    return value


FIELDS: dict[str, Field] = {
    "name": Field(_name, needed=KINDS),
    "checkpoint": Field(_text, ("checkpoint",)),
    "workflow": Field(_text, ("workflow",)),
    "model": Field(_text, ("model",)),
    "denoiser": Field(_text, ("denoiser",)),
    "loras": Field(_loras, COMFY),
    "prompts": Field(_prompts, COMFY, ("checkpoint",)),
    "negative": Field(_any_text, COMFY),
    "cfg": Field(_number(0.0, 100.0), needed=("checkpoint",)),
    "size": Field(_size, COMFY, ("checkpoint",)),
    "sampler": Field(_text),
    "steps": Field(_steps),
    "denoise": Field(_number(0.0, 1.0, above=True)),
    "effort": Field(_effort),
    "noises": Field(_whole(3, 1_024)),
    "seed": Field(_whole(0, 2**63 - 1)),
    "minutes": Field(_number(0.0, 10_000.0)),
    "shape": Field(_shape, ("denoiser",), ("denoiser",)),
    "sigma_min": Field(_number(0.0, 1e6, above=True), ("denoiser",), ("denoiser",)),
    "sigma_max": Field(_number(0.0, 1e6, above=True), ("denoiser",), ("denoiser",)),
    "flow": Field(_flag, ("denoiser",)),
}
