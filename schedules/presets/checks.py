"""Checks of what a field of a preset may hold: every value, typed, loaded or decoded, passes here before it is used."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from ..core.sigmas import check_sigmas

MAX_TEXT = 2_000  # notes
MAX_LABEL = 200  # every other text
MAX_BASELINES = 256  # errors of one step count
MAX_ORDER = 16  # columns of coefficients
MAX_ENTRIES = 256  # of a list or mapping among facts of later versions

_HEX = re.compile(r"[0-9a-f]{8,64}")
# Direction overrides make a text read other than it is; line and paragraph separators break a label in two.
_FORBIDDEN = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


class PresetError(ValueError):
    """A preset, a preset file, a preset name or a share code that breaks the format; the sentence names the field."""


def shown(value: Any) -> str:
    """A value as an error message may quote it: ASCII, one line, short, never a nested object."""
    if value is None or isinstance(value, (str, int, float)):
        text = ascii(value[:80] if isinstance(value, str) else value)
        return text if len(text) <= 80 else f"{text[:77]}..."
    return f"a value of type {type(value).__name__}"


def check_text(field: str, value: Any, limit: int = MAX_LABEL, *, lines: bool = False) -> str:
    """A text of at most `limit` characters without control characters; line breaks and tabs only where `lines`."""
    if not isinstance(value, str):
        raise PresetError(f"{field} must be a text, got {shown(value)}")
    if len(value) > limit:
        raise PresetError(f"{field} has {len(value)} characters, at most {limit} are allowed")
    for character in value:
        if lines and character in "\n\t":
            continue
        if character in _FORBIDDEN or unicodedata.category(character) in {"Cc", "Cs"}:
            raise PresetError(f"{field} holds the forbidden character U+{ord(character):04X}")
    return value


def check_label(field: str, value: Any) -> str:
    """A one-line text that is no absolute path; a relative `a/b` is fine, samplers of some packs are called so."""
    text = check_text(field, value)
    if "\\" in text or re.match(r"/|~/|[A-Za-z]:/", text):
        raise PresetError(f"{field} looks like a path, and presets never hold one: {shown(text)}")
    return text


def check_bare_name(field: str, value: Any) -> str:
    """A file name without any folder or drive."""
    text = check_label(field, value)
    if "/" in text or re.match(r"[A-Za-z]:", text) or text in {"", ".", ".."}:
        raise PresetError(f"{field} must be a bare file name without its folder, got {shown(text)}")
    return text


def check_digest(field: str, value: Any) -> str:
    """8 to 64 lower-case hex digits."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise PresetError(f"{field} must be 8 to 64 lower-case hex digits, got {shown(value)}")
    return value


def check_number(field: str, value: Any, *, above: float | None = None, least: float | None = None) -> float:
    """A finite number as float; -0 becomes 0, so that equal presets have equal bytes."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PresetError(f"{field} must be a number, got {shown(value)}")
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PresetError(f"{field} must be finite, got {shown(value)}")
    if above is not None and number <= above:
        raise PresetError(f"{field} must be above {above:g}, got {shown(value)}")
    if least is not None and number < least:
        raise PresetError(f"{field} must be at least {least:g}, got {shown(value)}")
    return number


def check_whole(field: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        raise PresetError(f"{field} must be a whole number from {least} to {most}, got {shown(value)}")
    return int(value)


def check_flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise PresetError(f"{field} must be true or false, got {shown(value)}")
    return value


def check_list(field: str, value: Any, most: int) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise PresetError(f"{field} must be a list, got {shown(value)}")
    if len(value) > most:
        raise PresetError(f"{field} has {len(value)} entries, at most {most} are allowed")
    return tuple(value)


def check_mapping(field: str, value: Any, most: int) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise PresetError(f"{field} must be a mapping, got {shown(value)}")
    if len(value) > most:
        raise PresetError(f"{field} has {len(value)} entries, at most {most} are allowed")
    return value


def check_plain(field: str, value: Any, depth: int = 2) -> Any:
    """A copy of a number, true or false, a text, or a list or mapping of these, nested at most `depth` deep."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return check_whole(field, value, -(2**64), 2**64)
    if isinstance(value, Real):
        return check_number(field, value)
    if isinstance(value, str):
        return check_label(field, value)
    if not isinstance(value, (list, tuple, Mapping)) or depth == 0:
        raise PresetError(f"{field} must be a number, a text, or a list or mapping of these, got {shown(value)}")
    if isinstance(value, Mapping):
        given = check_mapping(field, value, MAX_ENTRIES)
        return {check_label(field, key): check_plain(field, given[key], depth - 1) for key in given}
    return tuple(check_plain(field, entry, depth - 1) for entry in check_list(field, value, MAX_ENTRIES))


def check_shape(field: str, value: Any) -> tuple[int, ...]:
    shape = tuple(check_whole(field, size, 1, 10**6) for size in check_list(field, value, 8))
    if not shape:
        raise PresetError(f"{field} must hold at least one number")
    return shape


def check_errors(field: str, value: Any) -> dict[str, float]:
    """Schedule name -> held-out error."""
    given = check_mapping(field, value, MAX_BASELINES)
    return {
        check_label(field, name): check_number(f"{field}.{name}", error, least=0.0) for name, error in given.items()
    }


def check_schedule(steps: int, value: Any) -> Tensor:
    """(steps + 1,) sigma list that keeps the contract of `sigmas.py`; a copy."""
    values = _float32(f"sigmas.{steps}", value)
    try:
        sigmas = check_sigmas(values, name=f"sigmas.{steps}")
    except ValueError as error:
        raise PresetError(str(error)) from error
    if len(sigmas) != steps + 1:
        raise PresetError(f"sigmas.{steps} must have {steps + 1} values, got {len(sigmas)}")
    sigmas[-1] = 0.0  # -0 is the same number; one spelling keeps bytes and hash canonical
    return sigmas


def check_coefficients(steps: int, value: Any) -> Tensor:
    """(steps, order) float32 coefficients; a copy."""
    field = f"coefficients.{steps}"
    values = _float32(field, value).clone()
    if values.ndim != 2 or values.shape[0] != steps or not 1 <= values.shape[1] <= MAX_ORDER:
        raise PresetError(f"{field} must have the shape ({steps}, 1 to {MAX_ORDER}), got {tuple(values.shape)}")
    if not bool(torch.isfinite(values).all()):
        raise PresetError(f"{field} must be finite")
    return values


def _float32(field: str, value: Any) -> Tensor:
    try:
        return torch.as_tensor(value).detach().to("cpu", torch.float32)
    except (ValueError, TypeError, RuntimeError) as error:
        raise PresetError(f"{field} must be numbers, got {shown(value)}") from error


def float32_bytes(values: Tensor) -> bytes:
    """Little-endian float32 bytes of a CPU tensor, row by row, on any machine."""
    return values.detach().contiguous().numpy().astype("<f4").tobytes()
