"""Bytes as letters and digits: blocks of 32 bytes as 43 characters, which wastes 1 bit in 250."""

from __future__ import annotations

import math
import string

from .checks import PresetError

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_BLOCK = 32


def _characters(size: int) -> int:
    """Characters of a block of `size` bytes."""
    return math.ceil(size * 8 / math.log2(62))


_SIZE_OF = {_characters(size): size for size in range(1, _BLOCK + 1)}


def encode62(data: bytes) -> str:
    """Each block read as one big-endian number, most significant character first; the last block may be shorter."""
    text: list[str] = []
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        number, digits = int.from_bytes(block, "big"), []
        for _ in range(_characters(len(block))):
            number, digit = divmod(number, 62)
            digits.append(ALPHABET[digit])
        text += reversed(digits)
    return "".join(text)


def decode62(text: str) -> bytes:
    """Inverse of `encode62`. Raises PresetError for a foreign character, an impossible length or value."""
    data = bytearray()
    width = _characters(_BLOCK)
    for start in range(0, len(text), width):
        block = text[start : start + width]
        number = 0
        for at, character in enumerate(block, start):
            if character not in _VALUE:
                raise PresetError(f"the share code holds the foreign character {character!a} at place {at + 1}")
            number = number * 62 + _VALUE[character]
        size = _SIZE_OF.get(len(block))
        if size is None or number >= 256**size:
            raise PresetError("the share code has a wrong character somewhere (it does not decode); copy it again")
        data += number.to_bytes(size, "big")
    return bytes(data)
