"""Which model a ModelPatcher holds, and digests that stay the same from one session to the next."""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ...schedules.presets.identity import ModelIdentity, Prediction, bare_name
from .guidance import guidance_curve_of
from .noise_levels import model_sampling_of, sigma_range_of

# Values of a weight patch that go into its digest: strided over the whole tensor, and LoRAs have hundreds of them.
_SAMPLED = 64
# Digests of patches by the host's random id of a set of patches: right within a session, and only there.
_patch_digests: OrderedDict[Any, str] = OrderedDict()


def model_identity(model: Any) -> ModelIdentity:
    """The identity of a model as a preset records it."""
    sampling, sigma_range = model_sampling_of(model), sigma_range_of(model)
    path = checkpoint_path(model)
    return ModelIdentity(
        family=type(model.model.model_config).__name__,
        prediction=prediction_of(sampling),
        sigma_min=sigma_range.sigma_min,
        sigma_max=sigma_range.sigma_max,
        flow=sigma_range.flow,
        table_hash=table_hash(sampling),
        shift=_shift(sampling) if sigma_range.flow else None,
        parameters=sum(weight.numel() for weight in model.model.parameters()) or None,
        checkpoint=bare_name(path) if path else None,
        patches=patches_digest(model),
    )


def prediction_of(sampling: Any) -> Prediction | None:
    """The kind of the network's output. X0, EDM and V subclass EPS, so they are asked first."""
    kinds = comfy.model_sampling
    order: list[tuple[str, Prediction]] = [
        ("CONST", "flow"),
        ("X0", "x0"),
        ("EDM", "edm"),
        ("V_PREDICTION", "v"),
        ("V_PREDICTION_DDPM", "v"),
        ("EPS", "eps"),
    ]
    for name, kind in order:
        if hasattr(kinds, name) and isinstance(sampling, getattr(kinds, name)):
            return kind
    return None


def table_hash(sampling: Any) -> str | None:
    """sha256 of the float32 little-endian table of noise levels."""
    table = getattr(sampling, "sigmas", None)
    if not isinstance(table, Tensor):
        return None
    values = table.detach().cpu().float().contiguous().numpy()
    return hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()


def _shift(sampling: Any) -> float | None:
    shift = getattr(sampling, "shift", None)
    return float(shift) if isinstance(shift, (int, float)) and shift > 0 else None


def checkpoint_path(model: Any) -> str | None:
    """File that the model came from; hosts before 2026 do not know it."""
    origin = getattr(model, "cached_patcher_init", None)
    try:
        path = origin[1][0] if origin else None
    except (IndexError, TypeError):
        return None
    return path if isinstance(path, str) else None


def dtype_of(model: Any) -> str:
    """The weights' type, such as float16."""
    return str(model.model_dtype()).removeprefix("torch.")


def patches_digest(model: Any, *, strengths: bool = True) -> str:
    """Digest of the weight patches and of a guidance curve on the model; "" without either.

    Args:
        strengths: whether another strength of the same patches gives another digest.
    """
    weights, curve = _weights_digest(model, strengths), guidance_curve_of(model)
    if curve is None:
        return weights
    return hashlib.sha256(f"{weights} {curve.key()}".encode()).hexdigest()[:16]


def _weights_digest(model: Any, strengths: bool) -> str:
    """Digest of the weight patches (LoRAs ...), where asked with their strengths; "" without any.

    The host's patches_uuid is random in every session: it serves as the key of a memory only.
    """
    patches = model.patches
    if not patches:
        return ""
    uuid = getattr(model, "patches_uuid", None)
    key = None if uuid is None else (uuid, strengths)
    if key in _patch_digests:
        return _patch_digests[key]
    digest = hashlib.sha256()
    for name in sorted(patches, key=str):
        _feed(digest, str(name))
        for strength, patch, strength_model, offset, function in patches[name]:
            given = [float(strength), float(strength_model)] if strengths else []
            _feed(digest, [*given, offset, function is not None])
            _feed(digest, patch)
    text = digest.hexdigest()[:16]
    if key is not None:
        _patch_digests[key] = text
        while len(_patch_digests) > 32:
            _patch_digests.popitem(last=False)
    return text


def conditioning_digest(conditioning: Any) -> str:
    """Digest of a conditioning: a changed prompt gives another one."""
    digest = hashlib.sha256()
    _feed(digest, conditioning, whole=True)
    return digest.hexdigest()[:16]


def _feed(digest: Any, value: Any, *, whole: bool = False, depth: int = 0) -> None:
    """Add a value to a digest; tensors by `_SAMPLED` values, or by all of them where `whole`."""
    if depth > 12:
        return
    if isinstance(value, Tensor):
        digest.update(f"tensor{tuple(value.shape)}".encode())
        flat = value.detach().flatten()
        if not whole and flat.numel() > _SAMPLED:
            flat = flat[:: flat.numel() // _SAMPLED][:_SAMPLED]
        digest.update(flat.to("cpu", torch.float32).numpy().astype("<f4").tobytes())
    elif value is None or isinstance(value, (bool, int, str)):
        digest.update(f"{type(value).__name__}:{value}".encode())
    elif isinstance(value, float):
        digest.update(struct.pack("<d", value))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            _feed(digest, str(key))
            _feed(digest, value[key], whole=whole, depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        digest.update(f"list{len(value)}".encode())
        for item in value:
            _feed(digest, item, whole=whole, depth=depth + 1)
    else:
        # A host's patch object (LoRA adapter ...) is its kind and its weights; anything else counts by its kind.
        digest.update(type(value).__name__.encode())
        _feed(digest, getattr(value, "weights", None), whole=whole, depth=depth + 1)
