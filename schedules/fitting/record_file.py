"""One record as a file: a format version, a checksum, tensors; and a lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

# Tensors of another version are not read, and its files are left to age.
MAGIC = b"sigmasmith record 1\n"
PART = ".part"
_SUM = hashlib.sha256().digest_size
# Far behind the end: Windows lets nobody read the bytes that are locked.
_LOCKED_BYTE = 1 << 40


def record_bytes(tensors: Mapping[str, Tensor], seconds: float) -> bytes:
    """The file of a record: magic, sha256 of the rest, seconds of the fit so far (float64), safetensors."""
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    body = struct.pack("<d", seconds) + save(whole)
    return MAGIC + hashlib.sha256(body).digest() + body


def parse_record(data: bytes) -> tuple[dict[str, Tensor], float] | None:
    """(tensors, seconds of the fit until then); None for what is damaged, unfinished, foreign or not finite."""
    body = data[len(MAGIC) + _SUM :]
    checksum = data[len(MAGIC) : len(MAGIC) + _SUM]
    if not data.startswith(MAGIC) or hashlib.sha256(body).digest() != checksum or len(body) < 8:
        return None
    try:
        tensors = load(body[8:])
    except (SafetensorError, ValueError, KeyError):
        return None
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        return None
    return tensors, struct.unpack("<d", body[:8])[0]


def replace_in_one_piece(path: Path, data: bytes) -> None:
    """Write a file that readers see whole or not at all; OSError leaves nothing behind."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


class HeldFile:
    """A file that is open and locked until `close`, or until the process ends, however it ends."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    @classmethod
    def take(cls, path: Path) -> HeldFile | None:
        """The lock on a file that is there; None where it is gone or somebody else's."""
        try:
            file = open(path, "r+b" if os.access(path, os.W_OK) else "rb")  # noqa: SIM115 (held)
        except OSError:
            return None
        if _lock(file) and _is_still(path, file):
            return cls(path, file)
        file.close()
        return None

    @classmethod
    def make(cls, path: Path, data: bytes) -> HeldFile:
        """A new file with this content, locked before anybody can read it whole."""
        file = open(path, "x+b")  # noqa: SIM115 (held)
        try:
            _lock(file)
            file.write(data)
            file.flush()
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return cls(path, file)

    def close(self) -> None:
        """Let go of it; the file stays."""
        self._file.close()


def is_held(path: Path) -> bool:
    """Whether a running process, this one included, holds the file."""
    try:
        with open(path, "rb") as file:
            return not _lock(file)
    except OSError:
        return False


def _lock(file: BinaryIO) -> bool:
    """Lock an open file; False where another holds it. A file system without locks counts as free."""
    try:
        if fcntl is not None:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[reportAttributeAccessIssue]
            file.seek(0)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def _is_still(path: Path, file: BinaryIO) -> bool:
    """Whether the path names the open file: it may have been removed between opening and locking."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False
