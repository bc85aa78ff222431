"""Hostile preset files: each is refused with a PresetError that names what is wrong; nothing else is ever raised."""

from __future__ import annotations

import json
import runpy
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.file import MAX_BYTES, from_bytes, load_preset, to_bytes

GOLDEN = Path(__file__).resolve().parent / "golden"
FULL = to_bytes(runpy.run_path(str(GOLDEN / "make_golden.py"))["golden_presets"]()["preset_v1_full"])
LIST = struct.pack("<3f", 2.0, 1.0, 0.0)


def content(**changes) -> dict:
    """A small valid metadata object, changed; None as value takes a key away."""
    fields = {
        "format": "sigmasmith-preset",
        "version": 1,
        "sampler": "euler",
        "model": {"sigma_min": 0.1, "sigma_max": 2.0, "flow": False},
    }
    return {key: value for key, value in {**fields, **changes}.items() if value is not None}


def pack(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def file(tensors: dict, body: bytes, text: str | None = None, **metadata) -> bytes:
    about = {"sigmasmith": json.dumps(content()) if text is None else text, **metadata}
    return pack(json.dumps({"__metadata__": about, **tensors}).encode(), body)


def tensor(start: int, end: int, *shape: int, dtype: str = "F32", **more) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end], **more}


def listed(*values: float) -> bytes:
    return file(
        {f"sigmas.{len(values) - 1}": tensor(0, 4 * len(values), len(values))}, struct.pack(f"<{len(values)}f", *values)
    )


def named(name: str, *shape: int, body: bytes = LIST) -> bytes:
    return file({name: tensor(0, len(body), *(shape or (3,)))}, body)


def meta(text: str) -> bytes:
    return file({"sigmas.2": tensor(0, 12, 3)}, LIST, text)


def told(**changes) -> bytes:
    return meta(json.dumps(content(**changes)))


def how(made: object) -> bytes:
    return told(version=2, made=made)


def modelled(**changes) -> bytes:
    return told(model={"sigma_min": 0.1, "sigma_max": 2.0, "flow": False, **changes})


def saved(dtype: torch.dtype) -> bytes:
    return save({"sigmas.2": torch.tensor([2, 1, 0]).to(dtype)}, {"sigmasmith": json.dumps(content())})


NAN = float("nan")
TWO = {"sigmas.2": tensor(0, 12, 3)}
RAW = json.dumps(content())
MADE = json.dumps(content(version=2, made={})).replace('"made": {}', '"made": {%s}')
HOSTILE = {
    # The container.
    "empty": (b"", "0 bytes, too few"),
    "seven bytes": (b"\0" * 7, "7 bytes, too few"),
    "empty header": (pack(b""), "not a JSON object"),
    "header cut": (FULL[:200], "the file ends after"),
    "header length huge": (pack(b"{}", length=2**64 - 1), "the file ends after 2"),
    "header length zero": (struct.pack("<Q", 0) + FULL[8:], "not a JSON object"),
    "header no JSON": (pack(b"{hello}"), "header is not valid JSON"),
    "header a list": (pack(b"[]"), "not a JSON object"),
    "header led by a space": (pack(b" {}"), "not a JSON object"),
    "header not UTF-8": (pack(b'{"\xff":1}'), "not UTF-8"),
    "header with a byte order mark": (pack(b"\xef\xbb\xbf{}"), "not a JSON object"),
    "header key twice": (pack(b'{"a":1,"a":2}'), "header holds the key 'a' twice"),
    "a hundred thousand keys, one twice": (
        pack(("{" + ",".join(f'"{i}":0' for i in range(100_000)) + ',"99999":0}').encode()),
        "twice",
    ),
    "header nested deeply": (pack(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "header is nested too deeply"),
    "header with NaN": (pack(b'{"a":NaN}'), "header holds NaN"),
    "header with an endless number": (pack(b'{"a":' + b"9" * 100_000 + b"}"), "a number of 100000 digits"),
    "a pickle": (b"\x80\x04\x95" + b"\0" * 40, "the file ends after"),
    "oversize": (b"\0" * (MAX_BYTES + 1), "larger than 4,194,304 bytes"),
    # Metadata.
    "no metadata": (pack(b"{}"), "no metadata key sigmasmith"),
    "metadata a text": (pack(b'{"__metadata__":"x"}'), "no metadata key sigmasmith"),
    "metadata of another tool": (save({"a": torch.zeros(2)}, {"format": "pt"}), "no metadata key sigmasmith"),
    "metadata an object": (pack(b'{"__metadata__":{"sigmasmith":{}}}'), "metadata sigmasmith must be a text"),
    "foreign metadata key": (file(TWO, LIST, prompt="a cat"), "foreign metadata key 'prompt'"),
    "metadata no JSON": (meta("hello"), "metadata sigmasmith is not valid JSON"),
    "metadata empty": (meta(""), "metadata sigmasmith is not valid JSON"),
    "metadata a list": (meta("[]"), "must be a JSON object"),
    "metadata nested deeply": (meta("[" * 100_000 + "]" * 100_000), "nested too deeply"),
    "metadata nested a little in a field": (
        meta(RAW[:-1] + ',"notes":' + "[" * 100 + "]" * 100 + "}"),
        "notes must be",
    ),
    "metadata key twice": (meta(RAW[:-1] + ',"sampler":"x"}'), "holds the key 'sampler' twice"),
    "metadata with NaN": (meta(RAW[:-1] + ',"guidance":NaN}'), "holds NaN, which is no JSON number"),
    "metadata with Infinity": (meta(RAW[:-1] + ',"guidance":-Infinity}'), "holds -Infinity"),
    "metadata beyond float": (meta(RAW[:-1] + ',"guidance":1e999}'), "guidance must be finite"),
    "lone surrogate": (meta(RAW[:-1] + ',"author":"\\ud800"}'), r"author holds the forbidden character U\+D800"),
    "lone surrogate as key": (meta(RAW[:-1] + ',"\\ud800":1}'), "unknown key"),
    "no format": (told(format=None), "format must be sigmasmith-preset, got None"),
    "other format": (told(format="other"), "format must be sigmasmith-preset, got 'other'"),
    "no version": (told(version=None), "version must be"),
    "version as text": (told(version="1"), "version must be a whole number"),
    "version true": (told(version=True), "version must be a whole number"),
    "version 0": (told(version=0), "version must be a whole number from 1"),
    "future version": (told(version=3, colour="x"), "format version 3, this Sigmasmith knows versions up to 2"),
    "future container": (
        file({"other": tensor(0, 12, 3)}, LIST, json.dumps(content(version=7)), other="x"),
        "format version 7, this Sigmasmith knows versions up to 2",
    ),
    "unknown key": (told(prompt="a cat"), "the preset holds the unknown key 'prompt'"),
    "schedules in the JSON": (told(schedules={}), "unknown key 'schedules'"),
    "no model": (told(model=None), "the preset lacks the key model"),
    "model a text": (told(model="SDXL"), "model must be a mapping"),
    "unknown model key": (modelled(user="ada"), "model holds the unknown key 'user'"),
    "model without range": (told(model={"flow": False}), "model lacks the key sigma_min"),
    "absolute path in checkpoint": (modelled(checkpoint="/home/ada/x.ckpt"), "model.checkpoint looks like a path"),
    "Windows path in checkpoint": (modelled(checkpoint="C:\\x.ckpt"), "model.checkpoint looks like a path"),
    "path in LoRA": (modelled(loras=["../x"]), "model.loras must be a bare file name"),
    "path trick in name": (told(name="../../x"), "preset name '../../x' has a part"),
    "device as name": (told(name="CON"), "reserves for a device"),
    "null in name": (told(name="a\0b"), r"preset name holds the forbidden character U\+0000"),
    "origin by word": (told(origin={"two": "karras"}), "origin must be keyed by step counts, got 'two'"),
    "origin by zero-led count": (told(origin={"02": "karras"}), "origin must be keyed by step counts"),
    "origin elsewhere": (told(origin={"3": "karras"}), "origin speaks of 3 steps"),
    "errors a list": (told(errors=[1]), "errors must be a mapping"),
    "errors flat": (told(errors={"2": 0.5}), r"errors\.2 must be a mapping"),
    "exact a number": (told(exact=1), "exact must be true or false"),
    "seeds a number": (told(seeds=5), "seeds must be a list"),
    "too many seeds": (told(seeds=[1] * 1_025), "seeds has 1025 entries"),
    "too many baselines": (told(errors={"2": {str(i): 1.0 for i in range(257)}}), "257 entries"),
    "long notes": (told(notes="x" * 2_001), "notes has 2001 characters"),
    # How it was made.
    "facts in version 1": (told(made={"method": "oss"}), "unknown key 'made'"),
    "unknown key in version 2": (told(version=2, colour="x"), "unknown key 'colour'"),
    "unknown key of the model in version 2": (
        told(version=2, model={"sigma_min": 0.1, "sigma_max": 2.0, "flow": False, "colour": "x"}),
        "model holds the unknown key 'colour'",
    ),
    "facts a list": (how([]), "made must be a mapping"),
    "facts null": (meta('{"version":2,"made":null,' + RAW[1:].replace('"version": 1, ', "")), "made must be a mapping"),
    "facts without end": (how({f"k{i}": 0 for i in range(71)}), "made has 71 entries, at most 70"),
    "unknown facts without end": (how({f"k{i}": 0 for i in range(65)}), "made has 65 entries, at most 64"),
    "fact with a long name": (how({"k" * 41: 0}), "keys are up to 40 lower-case letters"),
    "fact with a name in capitals": (how({"Scale": 0}), "made holds the key 'Scale'"),
    "fact without a name": (how({"": 0}), "made holds the key ''"),
    "fact with the name of the rest": (how({"more": 0}), "made holds the key 'more'"),
    "fact with letters beyond ASCII": (how({"na\u00efve": 0}), "made holds the key"),
    "fact null": (how({"scale": None}), "made.scale must be a number, a text, or a list or mapping"),
    "fact beyond float": (meta(MADE % '"scale":1e999'), "made.scale must be finite"),
    "fact with NaN": (meta(MADE % '"scale":NaN'), "holds NaN"),
    "fact twice": (meta(MADE % '"scale":1,"scale":1'), "holds the key 'scale' twice"),
    "fact nested deeply": (how({"scale": [[[1]]]}), "made.scale must be a number, a text, or a list or mapping"),
    "fact nested without end": (
        meta(MADE % ('"a":' + "[" * 9_999 + "]" * 9_999)),
        "a number|nested too deeply",
    ),
    "fact with a path": (how({"from": "/home/ada/x"}), "made.from looks like a path"),
    "fact with a path as key": (how({"from": {"/home/ada/x": 1}}), "made.from looks like a path"),
    "fact with a path in a list": (how({"from": [["C:/x"]]}), "made.from looks like a path"),
    "fact of several lines": (how({"said": "a\nb"}), r"made.said holds the forbidden character U\+000A"),
    "fact too long": (how({"said": "x" * 201}), "made.said has 201 characters"),
    "fact with a long list": (how({"rows": [0] * 257}), "made.rows has 257 entries"),
    "fact of twenty digits": (how({"rows": 10**20 - 1}), "made.rows must be a whole number"),
    "method a number": (how({"method": 1}), "made.method must be a text"),
    "method null": (how({"method": None}), "made.method must be a text"),
    "choice a text": (how({"chosen_among": "euler"}), "made.chosen_among must be a list"),
    "choice of one": (how({"chosen_among": ["euler"]}), "made.chosen_among must name at least two samplers"),
    "choice of a nameless one": (how({"chosen_among": ["euler", ""]}), "must name at least two samplers"),
    "choice of numbers": (how({"chosen_among": [1, 2]}), "made.chosen_among must be a text"),
    "choice without end": (how({"chosen_among": ["a"] * 65}), "made.chosen_among has 65 entries"),
    "boundary a text": (how({"boundary": "1"}), "made.boundary must be a number"),
    "boundary null": (how({"boundary": None}), "made.boundary must be a number"),
    "boundary true": (how({"boundary": True}), "made.boundary must be a number"),
    "boundary 0": (how({"boundary": 0}), "made.boundary must be above 0"),
    "boundary above the model": (how({"boundary": 2.0}), "made.boundary must lie inside the model's noise levels"),
    "boundary below the model": (how({"boundary": 0.05}), "made.boundary must lie inside the model's noise levels"),
    "models without a boundary": (how({"models": ["a", "b"]}), "made.models must name the two models of a boundary"),
    "one model": (how({"boundary": 1, "models": ["a"]}), "made.models must name the two models"),
    "three models": (how({"boundary": 1, "models": ["a", "b", "c"]}), "made.models has 3 entries"),
    "models with a folder": (how({"boundary": 1, "models": ["a", "b/c"]}), "made.models must be a bare file name"),
    "models of zero": (how({"boundary": 1, "models": ["a", 0]}), "made.models must be a text"),
    # Tensors.
    "no tensor": (file({}, b""), "schedules must hold at least one step count"),
    "float16": (saved(torch.float16), "dtype F32, got 'F16'"),
    "float64": (saved(torch.float64), "dtype F32, got 'F64'"),
    "int64": (saved(torch.int64), "dtype F32, got 'I64'"),
    "foreign tensor": (named("weights"), "foreign tensor 'weights'"),
    "tensor name with a path": (named("../sigmas.2"), "foreign tensor"),
    "tensor name with a zero": (named("sigmas.02"), "foreign tensor"),
    "tensor name with a sign": (named("sigmas.-2"), "foreign tensor"),
    "tensor name with Arabic digits": (named("sigmas.\u0662"), "foreign tensor"),
    "tensor name with a line feed": (named("sigmas.2\n"), "foreign tensor"),
    "zero steps": (named("sigmas.0", 1, body=b"\0" * 4), "foreign tensor"),
    "a thousand million steps": (named("sigmas.1000000000"), "more than 10000 steps"),
    "a number without end in the name": (named("sigmas." + "9" * 50_000), "more than 10000 steps"),
    "a thousand million steps claimed": (named("sigmas.2", 10**9), r"must have the shape \[3\]"),
    "wrong length for the name": (named("sigmas.3"), r"sigmas\.3 must have the shape \[4\]"),
    "two dimensions": (named("sigmas.2", 1, 3), r"must have the shape \[3\], got \[1, 3\]"),
    "no dimension": (file({"sigmas.2": tensor(0, 4)}, b"\0" * 4), r"must have the shape \[3\], got \[\]"),
    "negative dimension": (named("sigmas.2", -3), "shape must be a list of whole numbers"),
    "dimension as text": (file({"sigmas.2": {**TWO["sigmas.2"], "shape": ["3"]}}, LIST), "whole numbers"),
    "dimension true": (file({"sigmas.1": {**tensor(0, 8, 2), "shape": [True]}}, LIST[4:]), "whole numbers"),
    "shape a number": (file({"sigmas.2": {**TWO["sigmas.2"], "shape": 3}}, LIST), "whole numbers"),
    "entry a list": (file({"sigmas.2": []}, LIST), "must have dtype, shape and data_offsets"),
    "entry with more": (file({"sigmas.2": tensor(0, 12, 3, x=1)}, LIST), "and nothing else"),
    "three offsets": (file({"sigmas.2": {**TWO["sigmas.2"], "data_offsets": [0, 6, 12]}}, LIST), "data_offsets"),
    "offsets past the end": (file({"sigmas.2": tensor(4, 16, 3)}, LIST), "data_offsets do not lie within"),
    "offsets turned": (file({"sigmas.2": tensor(12, 0, 3)}, LIST), "data_offsets do not lie within"),
    "offsets negative": (file({"sigmas.2": tensor(-12, 0, 3)}, LIST), "data_offsets do not lie within"),
    "offsets enormous": (file({"sigmas.2": tensor(0, 2**63, 3)}, LIST), "data_offsets do not lie within"),
    "offsets too near": (file({"sigmas.2": tensor(0, 8, 3)}, LIST[:8]), "has 8 bytes, its shape needs 12"),
    "body missing": (file(TWO, b""), "data_offsets do not lie within"),
    "body cut": (FULL[:-4], "data_offsets do not lie within"),
    "trailing bytes": (file(TWO, LIST + b"\0\0\0\0"), "4 bytes after its last tensor"),
    "leading gap": (file({"sigmas.2": tensor(4, 16, 3)}, b"\0" * 4 + LIST), "a gap or an overlap"),
    "gap": (file({**TWO, "sigmas.1": tensor(16, 24, 2)}, LIST + b"\0" * 4 + LIST[4:]), "a gap or an overlap"),
    "overlap": (file({**TWO, "sigmas.1": tensor(4, 12, 2)}, LIST), "a gap or an overlap"),
    "NaN": (listed(2.0, NAN, 0.0), r"sigmas\.2\[1\] is nan"),
    "infinite": (listed(float("inf"), 1.0, 0.0), r"sigmas\.2\[0\] is inf"),
    "rising": (listed(1.0, 2.0, 0.0), "strictly decreasing"),
    "equal neighbours": (listed(1.0, 1.0, 0.0), "strictly decreasing"),
    "not ending in 0": (listed(2.0, 1.0, 0.5), "must end in 0"),
    "ending below 0": (listed(2.0, 1.0, -1.0), "must end in 0"),
    "above the model": (listed(3.0, 1.0, 0.0), "above the model's 2.002"),
    "65 schedules": (
        file(
            {f"sigmas.{n}": tensor(2 * (n * n + n - 2), 2 * (n * n + 3 * n), n + 1) for n in range(1, 66)},
            b"".join(struct.pack(f"<{n + 1}f", *(i / 100 for i in range(n, -1, -1))) for n in range(1, 66)),
        ),
        "schedules has 65 entries, at most 64",
    ),
    "coefficients alone": (named("coefficients.3", 3, 1), "at least one step count"),
    "coefficients elsewhere": (
        file({**TWO, "coefficients.1": tensor(12, 16, 1, 1)}, LIST + b"\0" * 4),
        "coefficients speaks of 1 steps",
    ),
    "coefficients without columns": (
        file({**TWO, "coefficients.2": tensor(12, 12, 2, 0)}, LIST),
        r"must have the shape \[2, 1 to 16\], got \[2, 0\]",
    ),
    "coefficients infinite": (
        file({**TWO, "coefficients.2": tensor(12, 20, 2, 1)}, LIST + struct.pack("<2f", 1.0, float("inf"))),
        r"coefficients\.2 must be finite",
    ),
}


def test_the_small_file_that_the_hostile_ones_are_made_of_is_valid():
    assert from_bytes(file(TWO, LIST)).schedules.keys() == {2}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence_that_names_the_reason(case, tmp_path):
    data, said = HOSTILE[case]
    with pytest.raises(PresetError, match=said) as caught:
        from_bytes(data)
    message = str(caught.value)
    assert message.isascii()
    assert len(message) < 300
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(data)
    with pytest.raises(PresetError, match=r"^hostile\.safetensors: "):
        load_preset(path)
    assert list(tmp_path.iterdir()) == [path]


@given(flips=st.lists(st.tuples(st.integers(0, len(FULL) - 1), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bytes_are_refused_or_harmless(flips):
    data = bytearray(FULL)
    for place, bits in flips:
        data[place] ^= bits
    try:
        preset = from_bytes(bytes(data))
    except PresetError:
        return
    assert from_bytes(to_bytes(preset)).hash == preset.hash


def test_no_single_byte_of_a_file_can_crash_the_loader():
    for place in range(len(FULL)):
        for bits in (0x01, 0x20, 0x80, 0xFF):
            data = bytearray(FULL)
            data[place] ^= bits
            try:
                from_bytes(bytes(data))
            except PresetError:
                continue


def test_a_file_cut_anywhere_is_refused():
    for length in range(len(FULL)):
        with pytest.raises(PresetError):
            from_bytes(FULL[:length])


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(PresetError):
        from_bytes(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["sampler", "guidance", "latent_shape", "dtype", "effort", "seeds", "origin", "errors", "exact", "name"]
KEYS += ["author", "licence", "notes", "tool", "model", "version", "format", "made"]
MODEL_KEYS = ["family", "prediction", "sigma_min", "sigma_max", "flow", "table_hash", "shift", "parameters"]
MADE_KEYS = ["method", "chosen_among", "boundary", "models", "more"]
MODEL_KEYS += ["checkpoint", "checkpoint_hash", "patches", "loras"]


@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_json_value_in_any_field_is_refused_or_kept(key, value):
    try:
        preset = from_bytes(told(**{key: value}))
    except PresetError:
        return
    assert to_bytes(from_bytes(to_bytes(preset))) == to_bytes(preset)


@given(key=st.sampled_from([*MADE_KEYS, "scale", "Scale"]), value=JSON)
def test_any_json_value_in_any_fact_is_refused_or_kept(key, value):
    try:
        preset = from_bytes(how({key: value}))
    except PresetError:
        return
    assert to_bytes(from_bytes(to_bytes(preset))) == to_bytes(preset)


@given(key=st.sampled_from(MODEL_KEYS), value=JSON)
def test_any_json_value_in_any_model_field_is_refused_or_kept(key, value):
    try:
        preset = from_bytes(modelled(**{key: value}))
    except PresetError:
        return
    assert to_bytes(from_bytes(to_bytes(preset))) == to_bytes(preset)
