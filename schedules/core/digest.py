"""Digests of whatever a result depends on: equal values have equal digests in every process and session."""

from __future__ import annotations

import dis
import enum
import hashlib
import struct
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor

# Nobody's settings lie deeper or are more; what is counts by its kind alone.
_MAX_DEPTH = 24
_MAX_OBJECTS = 20_000
# Our own package's name, which is what the folder is called that it lies in.
_PACKAGE = __name__.removesuffix("schedules.core.digest")


def digest_of(*values: Any, sampled: int = 0, plain: Callable[[Any], Any] = lambda value: value) -> str:
    """32 hex digits of values of any kind.

    Numbers, texts, arrays and containers count by what they hold; functions by their code and what they close over and
    do not write themselves; other objects by their class and public attributes, which leaves out what a class keeps for
    itself as it runs; and what holds nothing that can be read by its class alone. So two digests that differ may stand
    for one behaviour, and equal ones for two only where the difference lies in something that cannot be read.

    Args:
        sampled: values of a tensor that count, spread over all of it; 0 for all of them.
        plain: asked of every value first; returns what to feed in its place.
    """
    digest = _Digest(sampled, plain)
    for value in values:
        digest.feed(value)
    return digest.hash.hexdigest()[:32]


class _Digest:
    def __init__(self, sampled: int, plain: Callable[[Any], Any]) -> None:
        self.hash = hashlib.sha256()
        self._sampled, self._plain = sampled, plain
        self._seen: dict[int, tuple[int, Any]] = {}  # holds the objects, so that no id is used twice

    def feed(self, value: Any, depth: int = 0) -> None:
        """Add a value."""
        value = self._plain(value)
        self._say(type(value).__name__)
        if isinstance(value, enum.Enum):
            self._say(value.name)
        elif isinstance(value, float):
            self.hash.update(struct.pack("<d", value))
        elif value is None or isinstance(value, (bool, int, str, bytes, complex, torch.dtype, torch.device)):
            self._say(repr(value))
        elif isinstance(value, Tensor):
            self._feed_tensor(value)
        elif isinstance(value, CodeType):
            self._say(value.co_qualname if hasattr(value, "co_qualname") else value.co_name)  # type: ignore[attr-defined]
            self._feed_all([value.co_code, value.co_names, *value.co_consts], depth)
        elif isinstance(value, type):
            self._say(f"{_module(value)}.{value.__qualname__}")
        else:
            self._feed_object(value, depth)

    def _feed_object(self, value: Any, depth: int) -> None:
        """Count a value that holds others; met a second time it counts by its place, so circles end."""
        if id(value) in self._seen:
            self._say(f"again {self._seen[id(value)][0]}")
            return
        if depth > _MAX_DEPTH or len(self._seen) > _MAX_OBJECTS:
            return
        self._seen[id(value)] = len(self._seen), value
        if isinstance(value, Mapping):
            for key in sorted(value, key=str):
                self._say(str(key) if isinstance(key, (str, int, float, tuple)) else type(key).__name__)
                self.feed(value[key], depth + 1)
        elif isinstance(value, (list, tuple)):
            self._feed_all(value, depth)
        elif isinstance(value, (set, frozenset)):
            self._feed_all(sorted(value, key=str), depth)
        elif isinstance(value, MethodType):
            self._feed_all([value.__func__, value.__self__], depth)
        elif isinstance(value, partial):
            self._feed_all([value.func, value.args, value.keywords], depth)
        elif isinstance(value, FunctionType):
            self._say(_module(value))
            held = [_content(value.__code__, name, cell) for name, cell in _closed_over(value)]
            self._feed_all([value.__code__, value.__defaults__, value.__kwdefaults__, *held], depth)
        elif isinstance(value, torch.nn.Module):
            # Its weights may be anywhere, and in the hands of a host that patches them.
            self._feed_all([type(value), [(name, tuple(item.shape)) for name, item in value.named_parameters()]], depth)
        elif isinstance(content := getattr(value, "tobytes", None), Callable) and not isinstance(value, memoryview):
            self._feed_all([getattr(value, "shape", None), content()], depth)  # arrays and pictures
        else:
            held = {key: item for key, item in getattr(value, "__dict__", {}).items() if not key.startswith("_")}
            self._feed_all([type(value), held], depth)

    def _feed_all(self, values: Any, depth: int) -> None:
        self._say(str(len(values)))
        for value in values:
            self.feed(value, depth + 1)

    def _feed_tensor(self, value: Tensor) -> None:
        self._say(f"{tuple(value.shape)} {value.dtype}")
        flat = value.detach().flatten()
        if flat.device.type == "meta":
            return
        if 0 < self._sampled < flat.numel():
            flat = flat[:: flat.numel() // self._sampled][: self._sampled]
        self.hash.update(flat.cpu().contiguous().view(torch.uint8).numpy().tobytes())

    def _say(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        self.hash.update(struct.pack("<q", len(raw)) + raw)


def _module(value: Any) -> str:
    """The module of a class or function as it is called on every machine: hosts name packs by their folder's path."""
    name = str(value.__module__).removeprefix(_PACKAGE)
    return name.replace("\\", "/").rpartition("/")[2]


def _closed_over(function: FunctionType) -> list[tuple[str, Any]]:
    return list(zip(function.__code__.co_freevars, function.__closure__ or ()))


def _content(code: CodeType, name: str, cell: Any) -> Any:
    """A value that a function has closed over; what it writes itself (`nonlocal`) is its state and no setting."""
    if name in _written(code):
        return None
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _written(code: CodeType) -> set[str]:
    """Names of outer variables that a function, or one inside it, writes."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_DEREF"}
    inner = [_written(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return names.intersection(code.co_freevars).union(*inner)
