"""The choices of the host's nodes, and which model a graph will run: from its file's header, nothing is loaded."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.model_detection
import folder_paths
import torch
from torch import Tensor

import nodes as host_nodes

from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.model_facts import shift_of, table_hash
from ...schedules.presets.identity import ModelIdentity, bare_name
from ..graph import NodeValues, RunningModel
from .identity import prediction_of
from .noise_levels import is_flow, sigma_table_of
from .packs import choice_lists

# The checker takes our folder of the same name for the host's module.
_NODE_CLASSES: dict[str, Any] = host_nodes.NODE_CLASS_MAPPINGS  # pyright: ignore[reportAttributeAccessIssue]
# Inputs that name a model file, with the host's folder for it.
_FOLDERS = {"ckpt_name": "checkpoints", "unet_name": "diffusion_models"}
# The host's own nodes that replace the noise levels and need no tensor to do so; they are asked themselves.
_ASKED = {
    "ModelSamplingDiscrete",
    "ModelSamplingStableCascade",
    "ModelSamplingSD3",
    "ModelSamplingAuraFlow",
    "ModelSamplingFlux",
    "ModelSamplingContinuousEDM",
    "ModelSamplingContinuousV",
    "ModelSamplingLTXV",
}
_MAX_HEADER = 64 * 1024 * 1024
_KEPT = 16
_known: OrderedDict[tuple[str, int, int], _Peeked] = OrderedDict()
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "BOOL": torch.bool,
}


def running_model(chain: tuple[NodeValues, ...]) -> RunningModel | None:
    """The model of a chain of nodes, the loader first; None where only loading it would tell."""
    try:
        return _running_model(chain)
    except Exception:  # detection code of the host, fed without weights, may raise anything
        logging.getLogger(LOGGER_NAME).debug("Sigmasmith could not tell the model of a graph", exc_info=True)
        return None


def choices(kind: str) -> Iterator[str]:
    """Every text in the lists of a node type: models, samplers and the like."""
    if (known := _NODE_CLASSES.get(kind)) is not None:
        with contextlib.suppress(Exception):  # another pack's class may raise anything
            yield from (choice for listed in choice_lists(known) for choice in listed if isinstance(choice, str))


class _Peeked:
    """Enough of a ModelPatcher for the host's ModelSampling nodes."""

    def __init__(self, config: Any, sampling: Any) -> None:
        self.model = self
        self.model_config = config
        self.model_sampling = sampling

    def clone(self) -> _Peeked:
        return _Peeked(self.model_config, self.model_sampling)

    def get_model_object(self, name: str) -> Any:
        return getattr(self, name)

    def add_object_patch(self, name: str, value: Any) -> None:
        setattr(self, name, value)


def _running_model(chain: tuple[NodeValues, ...]) -> RunningModel | None:
    loader = next((index for index, node in enumerate(chain) if _file_of(node) is not None), None)
    if loader is None:
        return None
    path = _file_of(chain[loader])
    assert path is not None
    peeked = _peeked(path)
    for node in chain[loader + 1 :]:
        if node.kind in _ASKED:
            if node.linked:
                return None
            peeked = _asked(node, peeked)
        elif "ModelSampling" in node.kind:
            return None
    return _described(peeked, path)


def _described(peeked: _Peeked, path: Path) -> RunningModel:
    sampling = peeked.model_sampling
    flow = is_flow(sampling)
    identity = ModelIdentity(
        family=type(peeked.model_config).__name__,
        prediction=prediction_of(sampling),
        sigma_min=float(sampling.sigma_min),
        sigma_max=float(sampling.sigma_max),
        flow=flow,
        table_hash=table_hash(sampling),
        shift=shift_of(sampling) if flow else None,
        checkpoint=bare_name(str(path)),
    )
    return RunningModel(identity, sigma_table_of(sampling))


def _file_of(node: NodeValues) -> Path | None:
    for name, folder in _FOLDERS.items():
        chosen = node.values.get(name)
        if isinstance(chosen, str) and chosen.endswith(".safetensors"):
            path = folder_paths.get_full_path(folder, chosen)
            return Path(path) if path else None
    return None


def _asked(node: NodeValues, peeked: _Peeked) -> _Peeked:
    """The noise levels as a ModelSampling node of the host makes them."""
    known = _NODE_CLASSES[node.kind]
    values = {name: value for name, value in node.values.items() if value is not None}
    if hasattr(known, "define_schema"):
        return known.execute(peeked, **values).result[0]
    return getattr(known(), known.FUNCTION)(model=peeked, **values)[0]


def _peeked(path: Path) -> _Peeked:
    """The host's model of a file without its network, remembered until the file changes."""
    stat = os.stat(path)
    key = (str(path), stat.st_mtime_ns, stat.st_size)
    if key not in _known:
        weights = _shapes(path)
        prefix = comfy.model_detection.unet_prefix_from_state_dict(weights)
        if not any(name.startswith(prefix) for name in weights):
            prefix = ""
        config = comfy.model_detection.model_config_from_unet(weights, prefix)
        config.unet_config = config.unet_config | {"disable_unet_model_creation": True}
        _known[key] = _Peeked(config, config.get_model(weights, prefix, device="cpu").model_sampling)
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return _known[key]


def _shapes(path: Path) -> dict[str, Tensor]:
    """The file's tensors without their values."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER:
            raise ValueError(f"{path.name}: its header has {length:,} bytes")
        header = json.loads(file.read(length))
    weights: dict[str, Tensor] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            kind = _DTYPES.get(entry["dtype"], torch.uint8)
            with contextlib.suppress(RuntimeError):
                weights[name] = torch.empty(entry["shape"], dtype=kind, device="meta")
    return weights
