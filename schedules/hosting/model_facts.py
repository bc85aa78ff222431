"""Facts that the hosts' model objects tell of themselves, as presets record it."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor


def table_hash(sampling: Any) -> str | None:
    """sha256 of the float32 little-endian table of noise levels, 64 hex digits; None where there is no table.

    Args:
        sampling: the host's object with the noise levels that sampling uses as its `sigmas`.
    """
    table = getattr(sampling, "sigmas", None)
    if not isinstance(table, Tensor):
        return None
    values = table.detach().to("cpu", torch.float32).contiguous().numpy()
    return hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()


def shift_of(sampling: Any) -> float | None:
    """The shift of a flow model's times, > 0; None where the host's object has none."""
    shift = getattr(sampling, "shift", None)
    return float(shift) if isinstance(shift, (int, float)) and shift > 0 else None
