"""The share code: exact to the bit, short, and clear about what is wrong with a damaged one."""

from __future__ import annotations

import hashlib
import runpy
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.presets.base62 import ALPHABET, decode62, encode62
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import MAX_CODE, from_share_code, to_share_code

GOLDEN = Path(__file__).resolve().parent / "golden"
PRESETS = runpy.run_path(str(GOLDEN / "make_golden.py"))["golden_presets"]()
CODE = to_share_code(PRESETS["preset_v1_full"])
SDXL = ModelIdentity(family="SDXL", prediction="eps", sigma_min=0.0291675, sigma_max=14.6146421, flow=False)
FLUX = ModelIdentity(family="Flux", prediction="flow", sigma_min=0.003, sigma_max=1.0, flow=True, shift=1.15)


def karras(steps: int) -> torch.Tensor:
    ramp = np.linspace(SDXL.sigma_max ** (1 / 7), SDXL.sigma_min ** (1 / 7), steps) ** 7
    return torch.from_numpy(np.append(ramp, 0.0).astype(np.float32))


def shifted(steps: int) -> torch.Tensor:
    time = np.arange(steps, -1, -1) / steps
    return torch.from_numpy((3 * time / (1 + 2 * time)).astype(np.float32))


def forged(data: bytes) -> str:
    """A code with a right length and check around any bytes."""
    body = encode62(data + hashlib.sha256(data).digest()[:4])
    return f"sigmasmith1:{encode62(len(body).to_bytes(2, 'little'))}{body}"


def head(flags: int = 0, texts: bytes = b"\n\n\n\n", sigma_min: float = 0.1, sigma_max: float = 2.0) -> bytes:
    return struct.pack("<BffH", flags, sigma_min, sigma_max, len(texts)) + texts


ONE = b"\x01" + struct.pack("<HIB", 1, 0x3F800000, 0)


@pytest.mark.parametrize("stem", PRESETS)
def test_golden_code_of_version_1_is_written_and_read_to_the_letter(stem):
    golden = (GOLDEN / f"{stem}.txt").read_text(encoding="ascii").strip()
    assert to_share_code(PRESETS[stem]) == golden
    assert from_share_code(golden).hash == PRESETS[stem].hash


def test_code_carries_what_decides_the_sigmas_and_what_they_were_fitted_to():
    preset = Preset(
        schedules={20: shifted(20)}, sampler="euler", model=FLUX, guidance=3.5, exact=True, name="Flux/dev portrait"
    )
    read = from_share_code(to_share_code(preset))
    assert read.hash == preset.hash
    assert read.model == FLUX
    assert (read.sampler, read.guidance, read.exact, read.name) == ("euler", 3.5, True, "Flux/dev portrait")
    assert read.denoise == 1.0


def test_code_says_so_where_it_is_for_changed_images():
    preset = Preset(schedules={20: shifted(20)}, sampler="euler", model=FLUX, denoise=0.35)
    read = from_share_code(to_share_code(preset))
    assert read.denoise == 0.35
    assert torch.equal(read.sigmas(7, 0.35), preset.sigmas(7, 0.35))


@pytest.mark.parametrize(
    ("steps", "model", "sigmas", "most"),
    [
        (5, SDXL, karras, 120),
        (10, SDXL, karras, 140),
        (20, SDXL, karras, 180),
        (30, SDXL, karras, 210),
        (50, SDXL, karras, 299),
        (20, FLUX, shifted, 180),
        (30, FLUX, shifted, 220),
        (50, FLUX, shifted, 299),
    ],
)
def test_code_of_one_schedule_stays_short(steps, model, sigmas, most):
    preset = Preset(
        schedules={steps: sigmas(steps)}, sampler="dpmpp_2m", model=model, guidance=7.0, name="SDXL/portrait"
    )
    code = to_share_code(preset)
    assert len(code) <= most
    assert set(code.removeprefix("sigmasmith1:")) <= set(ALPHABET)


def test_code_of_some_step_counts_holds_only_those():
    preset = Preset(schedules={n: karras(n) for n in (5, 8, 10)}, sampler="", model=SDXL)
    assert from_share_code(to_share_code(preset)).schedules.keys() == {5, 8, 10}
    assert from_share_code(to_share_code(preset, 8)).schedules.keys() == {8}
    assert from_share_code(to_share_code(preset, [10, 5, 5])).schedules.keys() == {5, 10}
    with pytest.raises(PresetError, match=r"no schedule of its own for 7 steps, only \[5, 8, 10\]"):
        to_share_code(preset, 7)
    with pytest.raises(PresetError, match="at least one step count"):
        to_share_code(preset, [])


def test_what_does_not_fit_a_code_is_refused_in_words():
    ramp = torch.arange(10_000, -1, -1, dtype=torch.float32) / 1_000
    with pytest.raises(PresetError, match="share the file, or fewer step counts"):
        to_share_code(Preset(schedules={10_000: ramp}, sampler="", model=SDXL))


@pytest.mark.parametrize(
    "around",
    [
        "  {}\n",
        "`{}`",
        "```\n{}\n```",
        '"{}"',
        "\u201c{}\u201d",
        "\u00ab{}\u00bb",
        "\ufeff{}\r\n",
        "<{}>",
        "> {}",
    ],
)
def test_marks_around_a_code_do_not_matter(around):
    assert from_share_code(around.format(CODE)).hash == PRESETS["preset_v1_full"].hash


@pytest.mark.parametrize("break_", ["\n", "\r\n", " ", "\n> ", "\u200b", "\u00ad", "\u00a0"])
def test_line_breaks_within_a_code_do_not_matter(break_):
    broken = break_.join(CODE[start : start + 30] for start in range(0, len(CODE), 30))
    assert from_share_code(broken).hash == PRESETS["preset_v1_full"].hash


def test_large_first_letter_does_not_matter():
    assert from_share_code("S" + CODE[1:]).hash == PRESETS["preset_v1_full"].hash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no share code: it must begin with sigmasmith1:"),
        ("hello", "no share code: it must begin with sigmasmith1:, got 'hello'"),
        ("\ud800", "no share code"),
        (None, "must be a text"),
        ("sigmasmith2:" + CODE[12:], "of version 2, this Sigmasmith knows version 1; update it"),
        ("sigmasmith0:" + CODE[12:], "of version 0"),
        ("sigmasmith1:", "is cut: it ends right after"),
        ("sigmasmith1:ab", "is cut: it ends right after"),
        (CODE[:-1], "is cut: 127 of its 128 characters are there"),
        (CODE[: len(CODE) // 2], "is cut"),
        (CODE + "x", "1 characters too many at its end"),
        (CODE + CODE, "too many at its end"),
        (CODE[:40] + "_" + CODE[41:], "holds the foreign character '_'"),
        (CODE[:40] + "\u00e9" + CODE[41:], r"holds the foreign character '\\xe9'"),
        (CODE[:40] + CODE[41] + CODE[40] + CODE[42:], "a wrong character somewhere"),
        ("sigmasmith1:" + "z" * 200, "a wrong character somewhere"),
        ("x" * 100_000, f"at most {MAX_CODE:,} characters, this text has 100,000"),
    ],
)
def test_a_damaged_code_says_in_words_what_is_wrong(text, said):
    with pytest.raises(PresetError, match=said) as caught:
        from_share_code(text)
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends too early"),
        (head(), "ends too early"),
        (head() + b"\x00", "at least one step count"),
        (head() + b"\x02" + ONE[1:], "ends too early"),
        (head() + b"\x02" + ONE[1:] * 2, "do not ascend"),
        (head() + ONE + b"\0", "more than its schedules"),
        (head(flags=0xFF) + ONE, "unknown flags"),
        (head(flags=6 << 2) + ONE, "unknown flags"),
        (head(texts=b"\n") + ONE, "must hold 5 or 6 texts, got 2"),
        (head(texts=b"\xff\n\n\n\n") + ONE, "not UTF-8"),
        (head(texts=b"\n\nnan\n\n") + ONE, "shift of the share code must be a number"),
        (head(texts=b"\n\n1e999\n\n") + ONE, "shift of the share code must be a number"),
        (head(texts=b"\n\n\n1_0\n") + ONE, "must be written as 10.0"),
        (head(texts=b"\n\n\n\n../x") + ONE, "preset name"),
        (head(texts=b"\n\n\n\n\n") + ONE, "denoise of the share code must be left out"),
        (head(texts=b"\n\n\n\n\n1.0") + ONE, "denoise of the share code must be left out"),
        (head(texts=b"\n\n\n\n\nhalf") + ONE, "denoise of the share code must be a number"),
        (head(texts=b"\n\n\n\n\n1.5") + ONE, "denoise must be above 0 and at most 1"),
        (head(texts=b"\n/etc/x\n\n\n") + ONE, "sampler looks like a path"),
        (head(sigma_min=float("nan")) + ONE, "model.sigma_min must be finite"),
        (head(sigma_min=3.0) + ONE, "sigma_min must be below"),
        (head() + b"\x01" + struct.pack("<HIB", 0, 0x3F800000, 0), "impossible schedule"),
        (head() + b"\x01" + struct.pack("<HIB", 60_000, 0x3F800000, 1), "impossible schedule"),
        (head() + b"\x01" + struct.pack("<HIB", 2, 0x3F800000, 0), "impossible schedule"),
        (head() + b"\x01" + struct.pack("<HIB", 2, 0x3F800000, 33), "impossible schedule"),
        (head() + b"\x01" + struct.pack("<HIB", 10_000, 0x3F800000, 32), "ends too early"),
        (head() + b"\x01" + struct.pack("<HIB", 1, 0x7F800000, 0), "leaves the positive numbers"),
        (head() + b"\x01" + struct.pack("<HIB", 1, 0, 0), "leaves the positive numbers"),
        (head() + b"\x01" + struct.pack("<HIB", 2, 0x3F800000, 32) + b"\xff" * 4, "leaves the positive numbers"),
        (head() + b"\x01" + struct.pack("<HIB", 2, 0x3F800000, 1) + b"\x00", "strictly decreasing"),
        (head() + b"\x01" + struct.pack("<HIB", 2, 0x3F800000, 1) + b"\x81", "leaves the positive numbers"),
        (head() + b"\x01" + struct.pack("<HIB", 1, 0x42000000, 0), "above the model's"),
    ],
)
def test_a_forged_code_with_a_right_check_is_refused_all_the_same(data, said):
    with pytest.raises(PresetError, match=said):
        from_share_code(forged(data))


def test_the_forged_codes_are_near_a_valid_one():
    assert torch.equal(from_share_code(forged(head() + ONE)).schedules[1], torch.tensor([1.0, 0.0]))


@given(
    lists=st.lists(st.sets(st.integers(1, 0x7F7FFFFF), min_size=1, max_size=40), min_size=1, max_size=4),
    shift=st.none() | st.floats(1e-300, 1e300),
    guidance=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    prediction=st.sampled_from([None, "eps", "v", "x0", "edm", "flow"]),
)
def test_every_preset_comes_back_bit_for_bit(lists, shift, guidance, prediction):
    schedules = {
        len(patterns): torch.from_numpy(
            np.append(np.array(sorted(patterns, reverse=True), dtype=np.uint32).view(np.float32), np.float32(0.0))
        )
        for patterns in lists
    }
    model = ModelIdentity(sigma_min=0.1, sigma_max=1.0, flow=False, shift=shift, prediction=prediction)
    preset = Preset(schedules=schedules, sampler="euler", model=model, exact=True, guidance=guidance)
    read = from_share_code(to_share_code(preset))
    assert read.model == model
    assert read.guidance == preset.guidance
    assert read.schedules.keys() == schedules.keys()
    for steps, values in schedules.items():
        assert read.schedules[steps].numpy().tobytes() == values.numpy().tobytes()


@given(place=st.integers(0, len(CODE) - 1), character=st.sampled_from(ALPHABET + ":_ -"))
def test_one_changed_character_never_gives_another_preset(place, character):
    changed = CODE[:place] + character + CODE[place + 1 :]
    try:
        read = from_share_code(changed)
    except PresetError:
        return
    assert changed.lower()[:12] == CODE[:12]
    assert changed[12:] == CODE[12:]
    assert read.hash == PRESETS["preset_v1_full"].hash


@given(st.text(max_size=40), st.booleans())
def test_any_text_is_refused(text, prefixed):
    with pytest.raises(PresetError):
        from_share_code("sigmasmith1:" + text if prefixed else text)


@given(st.binary(max_size=60))
def test_any_bytes_behind_a_right_check_are_refused_or_valid(data):
    try:
        preset = from_share_code(forged(head() + ONE[:1] + data))
    except PresetError:
        return
    assert from_share_code(to_share_code(preset)).hash == preset.hash


@given(st.binary(max_size=100))
def test_base62_gives_every_byte_back(data):
    assert decode62(encode62(data)) == data


def test_base62_is_letters_and_digits_in_blocks_of_43_characters_for_32_bytes():
    assert len(encode62(b"\xff" * 32)) == 43
    assert encode62(b"\x00\x01") == "001"
    with pytest.raises(PresetError, match="does not decode"):
        decode62("zzz")
    with pytest.raises(PresetError, match="does not decode"):
        decode62("0")
