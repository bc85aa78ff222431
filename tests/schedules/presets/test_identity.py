"""Model identity: what a preset may know of a model, and how it names the difference to another one."""

from __future__ import annotations

import dataclasses

import pytest
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.identity import ModelIdentity, bare_name

FITTED = ModelIdentity(
    family="SDXL",
    prediction="eps",
    sigma_min=0.0291675,
    sigma_max=14.6146421,
    flow=False,
    table_hash="a" * 64,
    parameters=2_567_463_684,
    checkpoint="one.safetensors",
    checkpoint_hash="31e35c80fc",
    patches="",
)
FLOW = ModelIdentity(family="SD3", prediction="flow", sigma_min=0.003, sigma_max=1.0, flow=True, shift=3.0)


def changed(**fields) -> ModelIdentity:
    return dataclasses.replace(FITTED, **fields)


@pytest.mark.parametrize(
    ("running", "sentences"),
    [
        (FITTED, []),
        (changed(family=""), []),
        (changed(prediction=None), []),
        (changed(table_hash=None), []),
        (changed(table_hash=None, sigma_max=14.615), []),
        (changed(parameters=None, checkpoint=None, checkpoint_hash=None, patches=None), []),
        (changed(family="SD15", parameters=1, checkpoint="x"), ["Fitted for a SDXL model, this is SD15."]),
        (changed(prediction="v"), ["Fitted for eps prediction, this model uses v."]),
        (
            changed(table_hash="b" * 64),
            ["This model's table of noise levels differs from the fitted one between the same ends."],
        ),
        (
            changed(table_hash="b" * 64, sigma_max=700.0),
            ["Fitted for sigmas from 0.02917 to 14.61, this model has 0.02917 to 700."],
        ),
        (changed(parameters=5), ["Fitted for a model of 2,567,463,684 parameters, this one has 5."]),
        (changed(checkpoint="renamed.safetensors"), []),
        (changed(checkpoint="renamed.safetensors", checkpoint_hash="31e35c80fc4829d1"), []),
        (
            changed(checkpoint="two.safetensors", checkpoint_hash=None),
            ["Fitted for checkpoint one.safetensors, this is two.safetensors."],
        ),
        (
            changed(checkpoint="two.safetensors", checkpoint_hash="0" * 64),
            ["Fitted for checkpoint one.safetensors, this is two.safetensors."],
        ),
        (
            changed(checkpoint_hash="0" * 64),
            ["The checkpoint one.safetensors has the fitted one's name but another content."],
        ),
        (
            changed(checkpoint=None, checkpoint_hash="0" * 64),
            ["Fitted for another checkpoint (its hash differs)."],
        ),
        (
            changed(patches="ab" * 8),
            ["Fitted with no LoRA or patch, this model runs with weight patches, a guidance curve or other changes."],
        ),
        (
            changed(patches="ab" * 8, loras=("lcm.safetensors",)),
            ["Fitted with no LoRA or patch, this model runs with LoRA lcm.safetensors."],
        ),
    ],
)
def test_the_difference_is_named_and_nothing_else(running, sentences):
    assert FITTED.differences(running) == sentences


def test_another_shift_is_named_instead_of_the_table_that_follows_from_it():
    other = dataclasses.replace(FLOW, shift=1.15, sigma_min=0.00115)
    assert FLOW.differences(other) == ["Fitted for shift 3, this model has 1.15."]


def test_flow_against_noise_prediction_is_named_before_all_else():
    assert FITTED.differences(FLOW) == [
        "Fitted for a SDXL model, this is SD3.",
        "Fitted for a noise-prediction model, this is a flow model (sigmas from 0 to 1); the sigmas do not fit.",
    ]


def test_patches_are_compared_by_digest_and_told_by_lora_name():
    one = changed(patches="ab" * 8, loras=("a",))
    same_names = changed(patches="cd" * 8, loras=("a",))
    unnamed = changed(patches="ab" * 8)
    other = changed(patches="cd" * 8)
    assert one.differences(unnamed) == []
    assert one.differences(same_names) == ["Fitted with other strengths or other patches beside LoRA a."]
    assert unnamed.differences(other) == [
        "Fitted with other weight patches, guidance curve or changes than this model runs with."
    ]
    only_names = changed(patches=None, loras=("b", "c"))
    assert one.differences(only_names) == ["Fitted with LoRA a, this model runs with LoRA b, c."]


def test_ends_of_the_range_are_kept_as_float32_so_that_every_carrier_agrees():
    assert FITTED.sigma_max == 14.614642143249512


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("checkpoint", "/home/ada/models/x.safetensors", "model.checkpoint looks like a path"),
        ("checkpoint", "sdxl/x.safetensors", "must be a bare file name"),
        ("checkpoint", "C:\\Users\\Ada\\x.safetensors", "model.checkpoint looks like a path"),
        ("checkpoint", "C:x.safetensors", "must be a bare file name"),
        ("checkpoint", "\\\\server\\x", "model.checkpoint looks like a path"),
        ("checkpoint", "..", "must be a bare file name"),
        ("checkpoint", "", "must be a bare file name"),
        ("checkpoint", 5, "model.checkpoint must be a text"),
        ("loras", ("a", "b/c"), "model.loras must be a bare file name"),
        ("loras", "abc", "model.loras must be a list"),
        ("patches", "/home/ada", "model.patches must be 8 to 64 lower-case hex digits"),
        ("checkpoint_hash", "XYZ", "model.checkpoint_hash must be"),
        ("table_hash", "ab" * 8, "model.table_hash must be a sha256"),
        ("prediction", "noise", "model.prediction must be one of eps, v, x0, edm, flow"),
        ("prediction", ["eps"], "model.prediction must be one of"),
        ("sigma_min", 0.0, "sigma_min must be finite and > 0"),
        ("sigma_min", 20.0, "sigma_min must be below sigma_max"),
        ("sigma_max", float("inf"), "model.sigma_max must be finite"),
        ("sigma_max", 1e39, "sigma_max must be finite"),
        ("sigma_max", True, "model.sigma_max must be a number"),
        ("flow", "false", "model.flow must be true or false"),
        ("flow", True, "sigma_max of a flow model must be <= 1"),
        ("shift", 0.0, "model.shift must be above 0"),
        ("parameters", 1.5, "model.parameters must be a whole number"),
        ("family", "a/b", "model.family must be a bare file name"),
    ],
)
def test_a_field_that_breaks_the_format_is_refused_by_name(field, value, said):
    with pytest.raises(PresetError, match=said):
        changed(**{field: value})


@pytest.mark.parametrize("path", ["x.ckpt", "/a/b/x.ckpt", "a/x.ckpt", "C:\\a\\x.ckpt", "a\\b/x.ckpt"])
def test_bare_name_drops_the_folders_of_every_system(path):
    assert bare_name(path) == "x.ckpt"
