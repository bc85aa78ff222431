"""A digest of everything a fit in the host depends on, so that a record of another fit is never taken up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from modules import shared
from torch import Tensor

from ..tickets import is_ticket

_MAX_DEPTH = 8


def generation_digest(p: Any, *facts: Any) -> str:
    """Hex digest of conditionings, script inputs (ControlNet images among them), settings and further facts.

    Two equal generations have equal digests; what cannot be read counts by its type, so that a fit may be begun anew
    for nothing but never goes on with foreign records.
    """
    digest = hashlib.sha256()
    for value in (*facts, getattr(p, "c", None), getattr(p, "uc", None), getattr(p, "extra_network_data", None)):
        _feed(digest, value)
    # Without the click that began the fit, which every fit has another of.
    _feed(digest, [value for value in getattr(p, "script_args", None) or [] if not is_ticket(value)])
    digest.update(json.dumps(shared.opts.data, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:32]


def _feed(digest: Any, value: Any, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        return
    digest.update(type(value).__name__.encode())
    if isinstance(value, Tensor):
        digest.update(str(tuple(value.shape)).encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        digest.update(repr(value).encode())
    elif hasattr(value, "tobytes"):  # arrays and images
        digest.update(value.tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            digest.update(str(key).encode())
            _feed(digest, value[key], depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _feed(digest, item, depth + 1)
    elif hasattr(value, "__dict__"):
        _feed(digest, vars(value), depth + 1)
