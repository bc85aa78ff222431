"""A hundred thousand damaged files and share codes: each is a preset, or is refused with PresetError, and nothing else.

Hypothesis draws what is done to a whole batch of them: drawing costs far more than loading.
"""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.file import from_bytes, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import from_share_code, to_share_code

BATCH, EXAMPLES = 50, 1_000
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 10**19, -(10**19), 0.5, 1e308, 5e-324, "", "x", "\0", "../..", "\u202e", "é" * 300,
    "9" * 30, [], {}, [[]], {"": None}, [0] * 300, {"a": {"b": {"c": []}}}, "NaN", "fitted",
]  # fmt: skip


def preset(more: bool) -> Preset:
    model = ModelIdentity(
        family="SD15", prediction="eps", sigma_min=0.03, sigma_max=14.6, flow=False, table_hash="ab" * 32, parameters=9
    )
    made = HowMade(guidance={"guider": "DualCFG", "cfg1": 7.0}, on_model=("RescaleCFG",)) if more else HowMade()
    lists = {steps: CURVES["karras"](steps, 0.03, 14.6) for steps in (3, 8)}
    errors = {8: {"fitted": 0.1, "karras": 0.2}} if more else {}
    return Preset(schedules=lists, sampler="euler", model=model, guidance=7.0, made=made, errors=errors, name="fuzz")


FILES = [to_bytes(preset(more), workflow) for more in (False, True) for workflow in (None, '{"nodes":[]}')]
CODES = [to_share_code(preset(True)), to_share_code(preset(False), 3)]


def settled(examples: int) -> Any:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)


def battered(data: bytes, draw: random.Random) -> bytes:
    """Bytes with some of them changed, cut out, repeated or put in."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randrange(len(changed) + 1), draw.choice((1, 1, 2, 8, 60))
        kind = draw.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            changed[at:at] = bytes(draw.choice((0, 255, 34, 123, draw.randrange(256))) for _ in range(length))
        else:
            changed[at : at + length] = draw.randbytes(length)
    return bytes(changed)


def rewritten(data: bytes, draw: random.Random) -> bytes:
    """A file whose header is still JSON of the right length, with some of its values replaced by hostile ones."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    content = json.loads(header["__metadata__"]["sigmasmith"])
    for _ in range(draw.randint(1, 3)):
        spoil(draw.choice((header, content, content)), draw)
    if isinstance(header.get("__metadata__"), dict) and draw.random() < 0.9:
        header["__metadata__"]["sigmasmith"] = json.dumps(content)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def spoil(tree: Any, draw: random.Random) -> None:
    """Replace, add or remove one value somewhere in a tree."""
    place = tree
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = draw.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and draw.random() < 0.7:
            place = place[key]
            continue
        if draw.random() < 0.15:
            del place[key]
        elif isinstance(place, dict) and draw.random() < 0.15:
            place[draw.choice(["", "x", "sigmas.9", "version", f"{key} "])] = deepcopy(draw.choice(HOSTILE))
        else:
            place[key] = deepcopy(draw.choice(HOSTILE))
        return


def check_sentence(text: str) -> None:
    """An error can be shown anywhere: short, one line, nothing invisible."""
    assert len(text) < 1_000
    assert text.isprintable()


def check_file(data: bytes) -> None:
    try:
        loaded = from_bytes(data)
    except PresetError as error:
        check_sentence(str(error))
        return
    assert to_bytes(from_bytes(to_bytes(loaded))) == to_bytes(loaded)


def check_code(code: str) -> None:
    try:
        loaded = from_share_code(code)
    except PresetError as error:
        check_sentence(str(error))
        return
    assert from_share_code(to_share_code(loaded)).hash == loaded.hash


@pytest.mark.slow
@settled(EXAMPLES // 2)
@given(st.integers(0, 2**64))
def test_a_battered_file_is_a_preset_or_refused(seed: int):
    draw = random.Random(seed)
    for _ in range(BATCH):
        check_file(battered(draw.choice(FILES), draw))


@pytest.mark.slow
@settled(EXAMPLES // 2)
@given(st.integers(0, 2**64))
def test_a_file_with_hostile_values_is_a_preset_or_refused(seed: int):
    draw = random.Random(seed)
    for _ in range(BATCH):
        check_file(rewritten(draw.choice(FILES), draw))


@pytest.mark.slow
@settled(EXAMPLES)
@given(st.integers(0, 2**64))
def test_a_battered_share_code_is_a_preset_or_refused(seed: int):
    draw = random.Random(seed)
    for _ in range(BATCH):
        check_code(battered(draw.choice(CODES).encode(), draw).decode("latin-1"))


@settled(200)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_a_preset_or_refused(data: bytes):
    check_file(data)
    check_file(len(data).to_bytes(8, "little") + data)


@settled(200)
@given(st.text(max_size=500))
def test_any_text_is_a_share_code_or_refused(text: str):
    check_code(text)
    check_code("sigmasmith1:" + text)
