"""Choosing a preset for the loaded model."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.matching import SAME_FAMILY, SAME_FILE, SAME_NAME, SAME_RANGE, best_match
from sigmasmith.schedules.presets.preset import Preset

MODEL = ModelIdentity(
    family="SD15",
    prediction="eps",
    sigma_min=0.0292,
    sigma_max=14.6146,
    flow=False,
    checkpoint="cat.safetensors",
    checkpoint_hash="ab" * 32,
    patches="",
)


def preset(model: ModelIdentity = MODEL, counts=(10,), **fields: Any) -> Preset:
    schedules = {count: CURVES["karras"](count, model.sigma_min, model.sigma_max, flow=model.flow) for count in counts}
    return Preset(**{"schedules": schedules, "model": model, "sampler": "euler"} | fields)


OTHER_FILE = replace(MODEL, checkpoint="dog.safetensors", checkpoint_hash="cd" * 32)
SAME_NAME_ONLY = replace(MODEL, checkpoint_hash=None)
NO_FAMILY = ModelIdentity(sigma_min=0.0292, sigma_max=14.6146, flow=False)


def test_hash_goes_before_name_before_family_before_range():
    presets = {
        "d": preset(),
        "c": preset(SAME_NAME_ONLY),
        "b": preset(OTHER_FILE),
        "a": preset(NO_FAMILY),
    }
    for name, grade in (("d", SAME_FILE), ("c", SAME_NAME), ("b", SAME_FAMILY), ("a", SAME_RANGE)):
        match = best_match(presets, MODEL, sampler="euler")
        assert match is not None
        assert (match.name, match.grade) == (name, grade)
        assert "fitted to" in match.reason
        del presets[name]
    assert best_match(presets, MODEL) is None


def test_a_shortened_hash_is_the_same_file():
    match = best_match({"a": preset(replace(MODEL, checkpoint_hash="ab" * 5))}, MODEL)
    assert match is not None
    assert match.grade == SAME_FILE


def test_a_file_of_the_same_name_with_another_hash_is_another_model():
    match = best_match({"a": preset(replace(MODEL, checkpoint_hash="cd" * 32))}, MODEL)
    assert match is not None
    assert match.grade == SAME_FAMILY


@pytest.mark.parametrize(
    "model",
    [
        replace(MODEL, family="SDXL"),
        replace(MODEL, prediction="v"),
        replace(MODEL, sigma_max=80.0),
        replace(MODEL, prediction="flow", flow=True, sigma_min=0.003, sigma_max=1.0),
    ],
)
def test_a_preset_with_wrong_sigmas_is_never_chosen_even_for_the_same_file(model):
    assert best_match({"a": preset(model)}, MODEL) is None


def test_of_presets_for_one_checkpoint_sampler_steps_and_guidance_decide():
    presets = {
        "a other sampler": preset(sampler="heun"),
        "b other steps": preset(counts=(20,)),
        "c far guidance": preset(guidance=12.0),
        "d near guidance": preset(guidance=7.0),
    }
    match = best_match(presets, MODEL, sampler="euler", steps=10, guidance=7.5)
    assert match is not None
    assert match.name == "d near guidance"


def test_weight_patches_go_before_the_sampler():
    patched = replace(MODEL, patches="ee" * 8)
    presets = {"a": preset(patched), "b": preset(sampler="heun")}
    assert best_match(presets, MODEL, sampler="euler").name == "b"  # pyright: ignore[reportOptionalMemberAccess]


def test_an_exact_list_is_chosen_for_its_own_step_counts_alone():
    presets = {"a": preset(exact=True)}
    assert best_match(presets, MODEL, steps=10) is not None
    assert best_match(presets, MODEL, steps=11) is None


def test_the_answer_does_not_depend_on_the_order_of_the_files():
    presets = {name: preset() for name in "abcd"}
    for order in itertools.permutations(presets):
        match = best_match({name: presets[name] for name in order}, MODEL)
        assert match is not None
        assert match.name == "a"


def test_a_preset_for_changed_images_goes_before_one_for_whole_runs_only_where_they_are_changed():
    presets = {"a whole": preset(), "half": preset(denoise=0.5)}
    for denoise, name in ((1.0, "a whole"), (0.7, "a whole"), (0.5, "half"), (0.3, "a whole")):
        match = best_match(presets, MODEL, denoise=denoise)
        assert match is not None
        assert match.name == name


def test_a_preset_for_changed_images_is_never_matched_to_more_denoise():
    assert best_match({"half": preset(denoise=0.5)}, MODEL) is None
    assert best_match({"half": preset(denoise=0.5)}, MODEL, denoise=0.6) is None
    assert best_match({"half": preset(denoise=0.5)}, MODEL, denoise=0.4) is not None
