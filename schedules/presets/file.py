"""Preset files: safetensors with one tensor per schedule and one metadata key. See docs/preset-format.md.

The container is written and read here, byte by byte. The safetensors package writes the same bytes for one metadata
key, but two (an export with a workflow) in an order that changes from process to process, and letters beyond ASCII as
they are (0.4.2 and 0.8.0 alike); its error messages differ between the versions that hosts carry. A preset's must not.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.sigmas import MAX_STEPS
from .checks import MAX_ORDER, PresetError, float32_bytes, shown
from .metadata import parse_preset_json, preset_from_content, preset_json, strict_json
from .names import SUFFIX, find_case_collision
from .preset import Preset

MAX_BYTES = 4 * 1024 * 1024
METADATA_KEY = "sigmasmith"
IGNORED_METADATA_KEY = "workflow"

_TOO_LARGE = f"the file is larger than {MAX_BYTES:,} bytes, so it is no preset"

_TENSOR_NAME = re.compile(r"(sigmas|coefficients)\.([1-9][0-9]*)")


def to_bytes(preset: Preset, workflow: str | None = None) -> bytes:
    """The file of a preset; the same content always gives the same bytes.

    Args:
        workflow: a text for the key that loaders ignore, the JSON of a graph that uses the preset; None: no such key.
    """
    tensors = {f"sigmas.{steps}": values for steps, values in preset.schedules.items()}
    tensors |= {f"coefficients.{steps}": values for steps, values in preset.coefficients.items()}
    metadata = {METADATA_KEY: preset_json(preset)} | ({} if workflow is None else {IGNORED_METADATA_KEY: workflow})
    header: dict[str, Any] = {"__metadata__": metadata}
    body = bytearray()
    for name in sorted(tensors):
        start = len(body)
        body += float32_bytes(tensors[name])
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text + bytes(body)
    if len(data) > MAX_BYTES:
        raise PresetError(f"the preset would take {len(data):,} bytes, a file holds at most {MAX_BYTES:,}")
    return data


def from_bytes(data: bytes) -> Preset:
    """The preset in the bytes of a file.

    Raises:
        PresetError: the first thing that breaks the format. Nothing is repaired, nothing else is raised.
    """
    header, body = _split(data)
    # The version comes first: of a file of a later version nothing else may look wrong.
    metadata = header.pop("__metadata__", None)
    content = parse_preset_json(_preset_text(metadata))
    for key in metadata:
        if key not in (METADATA_KEY, IGNORED_METADATA_KEY):
            raise PresetError(f"the file holds the foreign metadata key {shown(key)}")
    regions = sorted((_region(name, entry, len(body)) for name, entry in header.items()), key=lambda region: region[1])
    end = 0
    for name, start, stop, _ in regions:
        if start != end:
            raise PresetError(f"tensor {name} starts at byte {start} of the data, expected {end}: a gap or an overlap")
        end = stop
    if end != len(body):
        raise PresetError(f"the file holds {len(body) - end} bytes after its last tensor")
    tensors: dict[str, dict[int, Tensor]] = {"sigmas": {}, "coefficients": {}}
    for name, start, stop, shape in regions:
        kind, steps = name.split(".")
        values = np.frombuffer(body[start:stop], dtype="<f4").astype(np.float32).reshape(shape)
        tensors[kind][int(steps)] = torch.from_numpy(values)
    return preset_from_content(content, tensors["sigmas"], tensors["coefficients"])


def workflow_of(data: bytes) -> str | None:
    """The workflow that the bytes of a preset file carry, as its unchecked text.

    Raises:
        PresetError: the bytes are no preset.
    """
    from_bytes(data)
    text = _split(data)[0]["__metadata__"].get(IGNORED_METADATA_KEY)
    return text if isinstance(text, str) else None


def save_preset(path: str | Path, preset: Preset, *, overwrite: bool = False, workflow: str | None = None) -> Path:
    """Writes a preset, whole or not at all; missing folders are made. Returns the path.

    Args:
        workflow: as in `to_bytes`.
    Raises:
        PresetError: the file exists and `overwrite` is False, another differs from it only in case, the name lacks
            the suffix, or it cannot be written.
    """
    path, data = Path(path), to_bytes(preset, workflow)
    if path.suffix != SUFFIX:
        raise PresetError(f"{path.name}: the file name must end in {SUFFIX}")
    if path.is_dir():
        raise PresetError(f"{path.name}: is a folder")
    if not overwrite and os.path.lexists(path):
        raise PresetError(f"{path.name}: exists already, and overwriting was not asked for")
    if path.parent.is_dir() and (other := find_case_collision(path.name, os.listdir(path.parent))):
        raise PresetError(f"{path.name}: differs only in case from {shown(other)}, one file on Windows and macOS")
    try:
        replace_file(path, data)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise PresetError(f"{path.name}: cannot be written: {_reason(error)}") from error
    return path


def replace_file(path: Path, data: bytes) -> None:
    """Writes or replaces a file in one piece, or raises and leaves it as it was; missing folders are made."""
    # Beside the target, so that the replacement is one rename on one file system.
    temporary = path.with_name(f".sigmasmith-{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def load_preset(path: str | Path) -> Preset:
    """The preset in a file; every PresetError begins with the file's name. At most MAX_BYTES are read."""
    path = Path(path)
    try:
        if not path.is_file():
            raise PresetError("is no file" if path.exists() else "does not exist")
        if path.stat().st_size > MAX_BYTES:  # a checkpoint in somebody's folder of models, of which nothing is read
            raise PresetError(_TOO_LARGE)
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        return from_bytes(data)
    except PresetError as error:
        raise PresetError(f"{path.name}: {error}") from error
    except (OSError, ValueError) as error:
        raise PresetError(f"{path.name}: cannot be read: {_reason(error)}") from error


def file_holds(path: Path, preset: Preset, workflow: str | None = None) -> bool:
    """Whether a file holds this very preset and workflow already, in whatever version or order it was written."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        return to_bytes(from_bytes(data), workflow_of(data)) == to_bytes(preset, workflow)
    except (OSError, PresetError):
        return False


def _reason(error: Exception) -> str:
    """The reason that the system gives, without the path that it adds."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """(header object, tensor bytes) of a safetensors file."""
    if len(data) > MAX_BYTES:
        raise PresetError(_TOO_LARGE)
    if len(data) < 8:
        raise PresetError(f"the file has {len(data)} bytes, too few for a preset")
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8:
        raise PresetError(f"the header should have {length} bytes, but the file ends after {len(data) - 8}")
    try:
        text = data[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise PresetError("the header is not UTF-8 text") from error
    if not text.startswith("{"):
        raise PresetError("the header is not a JSON object")
    header = strict_json(text, "the header")
    return header, data[8 + length :]


def _preset_text(metadata: Any) -> str:
    if not isinstance(metadata, dict) or METADATA_KEY not in metadata:
        raise PresetError(f"the file has no metadata key {METADATA_KEY}, so it is no preset")
    text = metadata[METADATA_KEY]
    if not isinstance(text, str):
        raise PresetError(f"metadata {METADATA_KEY} must be a text, got {shown(text)}")
    return text


def _region(name: str, entry: Any, body: int) -> tuple[str, int, int, list[int]]:
    """(name, first byte, end, shape) of one tensor, checked against the size of the body."""
    match = _TENSOR_NAME.fullmatch(name)
    if not match:
        raise PresetError(f"the file holds the foreign tensor {shown(name)}")
    kind, digits = match.groups()
    if len(digits) > 5 or int(digits) > MAX_STEPS:
        raise PresetError(f"tensor {shown(name)} is for more than {MAX_STEPS} steps")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise PresetError(f"tensor {name} must have dtype, shape and data_offsets, and nothing else")
    if entry["dtype"] != "F32":
        raise PresetError(f"tensor {name} must have dtype F32, got {shown(entry['dtype'])}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _whole_numbers(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= body:
        raise PresetError(f"tensor {name}: data_offsets do not lie within the file")
    steps = int(digits)
    if not _whole_numbers(shape):
        raise PresetError(f"tensor {name}: shape must be a list of whole numbers")
    if kind == "sigmas" and shape != [steps + 1]:
        raise PresetError(f"tensor {name} must have the shape [{steps + 1}], got {shape[:8]}")
    if kind == "coefficients" and not (len(shape) == 2 and shape[0] == steps and 1 <= shape[1] <= MAX_ORDER):
        raise PresetError(f"tensor {name} must have the shape [{steps}, 1 to {MAX_ORDER}], got {shape[:8]}")
    if offsets[1] - offsets[0] != 4 * math.prod(shape):
        raise PresetError(f"tensor {name} has {offsets[1] - offsets[0]} bytes, its shape needs {4 * math.prod(shape)}")
    return name, offsets[0], offsets[1], shape


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value
    )
