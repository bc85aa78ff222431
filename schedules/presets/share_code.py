"""The share code: a preset's schedules as one line of text that chats, forums and messengers leave alone.

    sigmasmith1: LLL body

The body is base 62 (letters and digits: nothing that Markdown, smart punctuation or link detection touches), LLL the
number of its characters, so that a cut code is told from a wrong one. Its bytes, little-endian:

    flags     1        bit 0 flow, bit 1 exact, bits 2-4 prediction (0 unknown, then as in PREDICTIONS), others 0
    range     2 x 4    sigma_min, sigma_max as float32
    texts     2 + n    family, sampler, shift, guidance, name and, only where it is below 1, denoise, joined by line
                       feeds, UTF-8, after their byte count
    count     1        number of schedules, then for each, by ascending steps:
      steps   2
      first   4        bit pattern of the first sigma as float32
      width   1        bits per difference, 0 where steps = 1
      falls   n        differences of the neighbouring positive sigmas' bit patterns, packed, highest bit first
    check     4        first bytes of the sha256 of all before

Bit patterns of positive floats are ordered as the floats are: the differences are exact, positive, and take about 23
of 32 bits. The terminal 0 is implied. Nothing is compressed, so no code can grow in memory.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..core.sigmas import MAX_STEPS
from .base62 import decode62, encode62
from .checks import PresetError, check_number, shown
from .identity import PREDICTIONS, ModelIdentity
from .preset import MAX_SCHEDULES, Preset

VERSION = 1
MAX_CODE = 16_384  # characters; a thousand hold about 250 steps

_PREFIX = re.compile(r"sigmasmith([0-9]{1,6}):", re.IGNORECASE)  # telephones write the first letter large
_LENGTH_DIGITS = 3
# What chats and e-mail put around or into a line: spaces, quotation marks and code marks, invisible characters.
_DECORATION = re.compile("[\\s\"'`<>\u2018\u2019\u201c\u201d\u00ab\u00bb\u200b\u200c\u200d\u2060\ufeff\u00ad]+")


def to_share_code(preset: Preset, steps: int | Sequence[int] | None = None) -> str:
    """One line of text with some or all schedules of a preset, every float bit for bit.

    Args:
        steps: the step counts to share, all where None.
    Raises:
        PresetError: the preset has no such count, or the code would pass MAX_CODE characters.
    """
    wanted = sorted(preset.schedules) if steps is None else [steps] if isinstance(steps, int) else sorted(set(steps))
    for count in wanted:
        if count not in preset.schedules:
            raise PresetError(
                f"the preset has no schedule of its own for {count} steps, only {sorted(preset.schedules)}"
            )
    if not wanted:
        raise PresetError("steps must name at least one step count")
    data = _head(preset) + bytes([len(wanted)])
    data += b"".join(_packed_schedule(count, preset.schedules[count]) for count in wanted)
    body = encode62(data + _check(data))
    if len(body) > MAX_CODE:
        raise PresetError(f"the code would have {len(body):,} characters; share the file, or fewer step counts")
    return f"sigmasmith{VERSION}:{encode62(len(body).to_bytes(2, 'little'))}{body}"


def from_share_code(text: str) -> Preset:
    """The preset in a share code, with white space, line breaks, quotation or code marks in or around it.

    Raises:
        PresetError: says whether it is no code, of a later version, cut, or changed on the way.
    """
    if not isinstance(text, str):
        raise PresetError(f"a share code must be a text, got {shown(text)}")
    if len(text) > 4 * MAX_CODE:
        raise PresetError(f"a share code has at most {MAX_CODE:,} characters, this text has {len(text):,}")
    code = _DECORATION.sub("", text)
    prefix = _PREFIX.match(code)
    if not prefix:
        raise PresetError(f"this is no share code: it must begin with sigmasmith{VERSION}:, got {shown(code[:20])}")
    if int(prefix[1]) != VERSION:
        raise PresetError(
            f"this share code is of version {int(prefix[1])}, this Sigmasmith knows version {VERSION}; update it"
        )
    data = _verified(code[prefix.end() :])
    return _preset(_Reader(data))


def _verified(code: str) -> bytes:
    """The bytes of the part after the prefix, length and check removed."""
    if len(code) < _LENGTH_DIGITS:
        raise PresetError("the share code is cut: it ends right after its beginning")
    length = int.from_bytes(decode62(code[:_LENGTH_DIGITS]), "little")
    body = code[_LENGTH_DIGITS:]
    if len(body) < length:
        raise PresetError(f"the share code is cut: {len(body)} of its {length} characters are there; copy all of it")
    if len(body) > length:
        raise PresetError(f"the share code has {len(body) - length} characters too many at its end; paste it alone")
    data = decode62(body)
    if len(data) < 4 or _check(data[:-4]) != data[-4:]:
        raise PresetError("the share code has a wrong character somewhere (its check does not agree); copy it again")
    return data[:-4]


def _head(preset: Preset) -> bytes:
    model = preset.model
    prediction = 0 if model.prediction is None else 1 + PREDICTIONS.index(model.prediction)
    numbers = ["" if number is None else repr(number) for number in (model.shift, preset.guidance)]
    partial = [repr(preset.denoise)] if preset.denoise < 1.0 else []
    texts = "\n".join([model.family, preset.sampler, *numbers, preset.name, *partial]).encode()
    flags = model.flow | preset.exact << 1 | prediction << 2
    return struct.pack("<BffH", flags, model.sigma_min, model.sigma_max, len(texts)) + texts


def _packed_schedule(steps: int, sigmas: Tensor) -> bytes:
    patterns = sigmas[:-1].numpy().view(np.uint32).astype(np.int64)
    falls = (patterns[:-1] - patterns[1:]).tolist()
    width = max(falls, default=0).bit_length()
    packed = 0
    for fall in falls:
        packed = packed << width | fall
    return struct.pack("<HIB", steps, int(patterns[0]), width) + packed.to_bytes(_falls_bytes(steps, width), "big")


def _falls_bytes(steps: int, width: int) -> int:
    return (width * (steps - 1) + 7) // 8


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:4]


class _Reader:
    """Takes bytes off the front; never past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise PresetError("the share code ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def whole(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")


def _preset(reader: _Reader) -> Preset:
    """The preset in verified bytes; the check only tells accidents, so everything is validated all the same."""
    flags = reader.whole(1)
    if flags >> 2 > len(PREDICTIONS):
        raise PresetError("the share code holds unknown flags")
    sigma_min, sigma_max = struct.unpack("<ff", reader.take(8))
    try:
        texts = reader.take(reader.whole(2)).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise PresetError("the texts of the share code are not UTF-8") from error
    if len(texts) not in (5, 6):
        raise PresetError(f"the share code must hold 5 or 6 texts, got {len(texts)}")
    family, sampler, shift, guidance, name = texts[:5]
    denoise = _number("denoise", texts[5]) if len(texts) == 6 else 1.0
    if denoise is None or (denoise == 1.0 and len(texts) == 6):
        raise PresetError("denoise of the share code must be left out where it is 1")
    schedules: dict[int, Tensor] = {}
    for _ in range(reader.whole(1)):
        steps, sigmas = _unpacked_schedule(reader)
        if steps <= max(schedules, default=0):
            raise PresetError("the step counts of the share code do not ascend")
        schedules[steps] = sigmas
    if reader.at != len(reader.data) or len(schedules) > MAX_SCHEDULES:
        raise PresetError("the share code holds more than its schedules")
    model = ModelIdentity(
        family=family,
        prediction=None if flags >> 2 == 0 else PREDICTIONS[(flags >> 2) - 1],
        sigma_min=sigma_min,
        sigma_max=sigma_max,
        flow=bool(flags & 1),
        shift=_number("shift", shift),
    )
    guidance = _number("guidance", guidance)
    return Preset(
        schedules=schedules,
        sampler=sampler,
        model=model,
        guidance=guidance,
        exact=bool(flags & 2),
        denoise=denoise,
        name=name,
    )


def _number(field: str, text: str) -> float | None:
    if text == "":
        return None
    try:
        number = check_number(field, float(text))
    except ValueError as error:
        raise PresetError(f"{field} of the share code must be a number, got {shown(text)}") from error
    if repr(number) != text:
        raise PresetError(f"{field} of the share code must be written as {number!r}, got {shown(text)}")
    return number


def _unpacked_schedule(reader: _Reader) -> tuple[int, Tensor]:
    steps, first, width = struct.unpack("<HIB", reader.take(7))
    if not 1 <= steps <= MAX_STEPS or width > 32 or (width == 0) != (steps == 1):
        raise PresetError(f"the share code holds an impossible schedule ({steps} steps, {width} bits)")
    bits = np.unpackbits(np.frombuffer(reader.take(_falls_bytes(steps, width)), dtype=np.uint8)).astype(np.int64)
    spare = len(bits) - width * (steps - 1)
    falls = bits[spare:].reshape(steps - 1, width) @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))
    patterns = first - np.concatenate([[0], np.cumsum(falls)])
    if patterns.min() <= 0 or first >= 0x7F800000 or bits[:spare].any():
        raise PresetError(f"the schedule for {steps} steps in the share code leaves the positive numbers")
    values = np.append(patterns.astype(np.uint32).view(np.float32), np.float32(0.0))
    return steps, torch.from_numpy(values)
