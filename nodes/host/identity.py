"""Which model a ModelPatcher holds, and digests that stay the same from one session to the next."""

from __future__ import annotations

import hashlib
import os
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ...schedules.hosting.model_facts import shift_of, table_hash
from ...schedules.presets.identity import ModelIdentity, Prediction, bare_name
from .changes import changes_of, digest, hooks_of
from .guidance import guidance_curve_of
from .guiders import conditionings_of
from .noise_levels import model_sampling_of, sigma_range_of

# Values of a weight patch that go into its digest: strided over the whole tensor, and LoRAs have hundreds of them.
_SAMPLED = 64
# A checkpoint is known by so many pieces of its file.
_PIECES, _PIECE_BYTES = 256, 4_096
# Attributes of a guider that are others' business, or its own as it runs.
_RUNNING = {"model_patcher", "model_options", "original_conds", "conds", "inner_model", "loaded_models"}
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
        shift=shift_of(sampling) if sigma_range.flow else None,
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


def identity_under(guider: Any) -> ModelIdentity:
    """As `model_identity`, with the patches that the guider's conditionings put on the model as they run."""
    identity = model_identity(guider.model_patcher)
    return replace(identity, patches=_with_hooks(identity.patches or "", guider))


def patches_at_any_strength(guider: Any) -> str:
    """As the patches of `identity_under`; another strength of the same weight patches gives the same digest."""
    return _with_hooks(patches_digest(guider.model_patcher, strengths=False), guider)


def patches_digest(model: Any, *, strengths: bool = True) -> str:
    """Digest of the weight patches, of a guidance curve and of all else that nodes put on a model; "" without any.

    Args:
        strengths: whether another strength of the same weight patches gives another digest.
    """
    text, curve, changes = _weights_digest(model, strengths), guidance_curve_of(model), changes_of(model)
    if curve is not None:
        text = _both(text, curve.key())
    return _both(text, digest(changes)) if changes else text


def _with_hooks(patches: str, guider: Any) -> str:
    hooks = hooks_of(conditionings_of(guider))
    return _both(patches, digest(hooks)) if hooks else patches


def _both(text: str, more: str) -> str:
    return hashlib.sha256(f"{text} {more}".encode()).hexdigest()[:16]


def records_digest(guider: Any) -> str:
    """Digest of everything that is known to change a guider's output, for the records of an unfinished fit.

    What cannot be known, the probe tells (schedules/fitting/probe.py).
    """
    model, sampling = guider.model_patcher, model_sampling_of(guider.model_patcher)
    # The guider's own numbers and whatever else it was made with; the prompts in full.
    own = {name: value for name, value in vars(guider).items() if name not in _RUNNING and not name.startswith("_")}
    settings = {name: value for name, value in vars(sampling).items() if isinstance(value, (bool, int, float, str))}
    kinds = [kind.__name__ for kind in type(sampling).__mro__]
    facts = [type(guider), own, conditionings_of(guider), _file_of(model), dtype_of(model), repr(model_identity(model))]
    return digest([*facts, settings, kinds, changes_of(model), sorted(model.attachments), model.additional_models])


def _file_of(model: Any) -> list[Any]:
    """The model's file by its name, its size and pieces of its content: another one may be put under its name.

    Neither folder nor time: a copy on another machine is the same model, and goes on with the same records.
    """
    path = checkpoint_path(model)
    if not path:
        return [None]
    try:
        return [bare_name(path), _content_digest(path)]
    except OSError:
        return [path]


def _content_digest(path: str) -> str:
    """Digest of a file's size and of _PIECES pieces of it, evenly over the whole; a few milliseconds."""
    size = os.stat(path).st_size
    sha = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for number in range(_PIECES):
            file.seek(number * max(size - _PIECE_BYTES, 0) // (_PIECES - 1))
            sha.update(file.read(_PIECE_BYTES))
    return sha.hexdigest()


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
    sha = hashlib.sha256()
    for name in sorted(patches, key=str):
        _feed(sha, str(name))
        for strength, patch, strength_model, offset, function in patches[name]:
            given = [float(strength), float(strength_model)] if strengths else []
            _feed(sha, [*given, offset, function is not None])
            _feed(sha, patch)
    text = sha.hexdigest()[:16]
    if key is not None:
        _patch_digests[key] = text
        while len(_patch_digests) > 32:
            _patch_digests.popitem(last=False)
    return text


def _feed(sha: Any, value: Any, *, depth: int = 0) -> None:
    """Add a weight patch to a hash, tensors by `_SAMPLED` values. Presets hold its results: it stays as it is."""
    if depth > 12:
        return
    if isinstance(value, Tensor):
        sha.update(f"tensor{tuple(value.shape)}".encode())
        flat = value.detach().flatten()
        if flat.numel() > _SAMPLED:
            flat = flat[:: flat.numel() // _SAMPLED][:_SAMPLED]
        sha.update(flat.to("cpu", torch.float32).numpy().astype("<f4").tobytes())
    elif value is None or isinstance(value, (bool, int, str)):
        sha.update(f"{type(value).__name__}:{value}".encode())
    elif isinstance(value, float):
        sha.update(struct.pack("<d", value))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            _feed(sha, str(key))
            _feed(sha, value[key], depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        sha.update(f"list{len(value)}".encode())
        for item in value:
            _feed(sha, item, depth=depth + 1)
    else:
        # A host's patch object (LoRA adapter ...) is its kind and its weights; anything else counts by its kind.
        sha.update(type(value).__name__.encode())
        _feed(sha, getattr(value, "weights", None), depth=depth + 1)
