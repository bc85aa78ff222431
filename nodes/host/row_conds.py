"""Conditionings with an entry for every image of a batch: which rows see which, and the conditioning of one of them.

The host deals such entries out by the place of a row in the batch that runs, and in more than one way (the first ones,
evenly spread, in turn). A fit runs some rows of its batch at a time, so each of them gets a conditioning of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from math import lcm
from typing import Any

from torch import Tensor

# Values of a conditioning whose first dimension is the batch's, whatever its length. Of others only the length tells.
_PER_ROW = {
    "cross_attn",
    "pooled_output",
    "concat_latent_image",
    "concat_mask",
    "concat_image",
    "mask",
}
_PLAIN = (dict, list, tuple)


def entries(conds: list[dict[str, Any]], rows: int) -> int:
    """How many rows it takes until the entries of a conditioning begin anew; 1 where all rows see the same.

    Args:
        rows: of the batch.
    """
    lengths = {length for cond in conds for length in _lengths(cond, rows)}
    return min(lcm(*lengths), rows) if lengths else 1


def conds_of_row(conds: list[dict[str, Any]], row: int, rows: int) -> list[dict[str, Any]]:
    """The conditioning with the entries of one row alone."""
    return [{key: _of_row(value, key, row, rows) for key, value in cond.items()} for cond in conds]


def _lengths(cond: dict[str, Any], rows: int) -> Iterator[int]:
    for key, value in cond.items():
        yield from (len(tensor) for tensor in _tensors(value) if _is_per_row(tensor, key, rows))
        if key == "control":
            yield from (len(hint) for hint in _hints(value) if len(hint) > 1)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from (tensor for entry in value.values() for tensor in _tensors(entry))
    elif isinstance(value, (list, tuple)):
        yield from (tensor for entry in value for tensor in _tensors(entry))


def _is_per_row(tensor: Tensor, key: str, rows: int) -> bool:
    if tensor.ndim < (3 if key == "mask" else 2) or len(tensor) < 2:
        return False
    return key in _PER_ROW or len(tensor) == rows


def _of_row(value: Any, key: str, row: int, rows: int) -> Any:
    if isinstance(value, Tensor):
        if not _is_per_row(value, key, rows):
            return value
        at = row % len(value)
        return value[at : at + 1]
    if key == "control":
        return _control_of_row(value, row)
    if type(value) not in _PLAIN:
        return value
    if isinstance(value, dict):
        return {name: _of_row(entry, key, row, rows) for name, entry in value.items()}
    return type(value)(_of_row(entry, key, row, rows) for entry in value)


def _hints(control: Any) -> Iterator[Tensor]:
    """The images of a control and of those before it."""
    while control is not None:
        hint = getattr(control, "cond_hint_original", None)
        if isinstance(hint, Tensor) and hint.ndim > 1:
            yield hint
        control = getattr(control, "previous_controlnet", None)


def _control_of_row(control: Any, row: int) -> Any:
    if control is None or not any(len(hint) > 1 for hint in _hints(control)):
        return control
    own = control.copy() if hasattr(control, "copy") else copy.copy(control)
    hint = control.cond_hint_original
    if isinstance(hint, Tensor) and len(hint) > 1:
        own.cond_hint_original = hint[row % len(hint) : row % len(hint) + 1]
    own.previous_controlnet = _control_of_row(getattr(control, "previous_controlnet", None), row)
    return own
