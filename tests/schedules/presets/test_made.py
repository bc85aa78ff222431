"""How a preset was made: keys that outlive its notes, and the sentences that version 1 had instead."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.file import from_bytes, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.metadata import preset_json
from sigmasmith.schedules.presets.preset import Preset

FLOW = ModelIdentity(sigma_min=0.005, sigma_max=1.0, flow=True)
PAIR = HowMade(boundary=0.875, models=("high.safetensors", "low.safetensors"))


def preset(**fields) -> Preset:
    return Preset(**{"schedules": {2: torch.tensor([1.0, 0.5, 0.0])}, "sampler": "euler", "model": FLOW} | fields)


def of_version_1(**fields) -> Preset:
    """A preset as it is read from a file of version 1 with these fields."""
    text = json.loads(preset_json(preset())) | fields
    assert text["version"] == 1
    return from_bytes(save({"sigmas.2": preset().schedules[2]}, {"sigmasmith": json.dumps(text)}))


def test_facts_stay_where_notes_name_author_and_licence_are_rewritten():
    made = replace(PAIR, method="oss", chosen_among=("euler", "deis"), more={"scale": 1.5})
    read = from_bytes(to_bytes(preset(made=made, notes="old")))
    edited = from_bytes(to_bytes(replace(read, notes="mine", name="mine", author="Ada", licence="CC0-1.0")))
    assert edited.made == made


def test_facts_of_a_later_version_are_kept_as_they_are():
    facts = {
        "method": "family",
        "version": 3,
        "scale": 1.5,
        "stretch": 1,
        "gain": {"2": [1, 1.5]},
        "by": ["a", True],
    }
    text = json.loads(preset_json(preset())) | {"version": 2, "made": facts}
    read = from_bytes(save({"sigmas.2": preset().schedules[2]}, {"sigmasmith": json.dumps(text)}))
    assert json.loads(preset_json(read))["made"] == facts
    assert isinstance(read.made.more["stretch"], int)


def test_facts_do_not_reach_the_hash():
    assert preset(made=PAIR).hash == preset().hash


def test_sentences_say_the_facts_and_stand_before_notes_that_do_not():
    made = HowMade(method="oss", chosen_among=("euler", "deis", "lms"), boundary=0.875)
    assert made.sentences() == [
        "Method: oss.",
        "Chosen among euler, deis and lms.",
        "Two models: the first from sigma 0.875 upwards, the second below.",
    ]
    assert HowMade().sentences() == []
    assert PAIR.beside("mine") == (
        "Two models: high.safetensors from sigma 0.875 upwards, low.safetensors below.\nmine"
    )
    assert PAIR.beside("\n".join(["mine", *PAIR.sentences()])) == "\n".join(["mine", *PAIR.sentences()])


def test_two_models_are_the_same_with_the_same_names_and_boundary():
    assert PAIR.same_models(replace(PAIR, boundary=0.8751, method="oss"))
    assert not PAIR.same_models(replace(PAIR, boundary=0.88))
    assert not PAIR.same_models(replace(PAIR, models=("high.safetensors", "")))
    assert not PAIR.same_models(HowMade())
    assert not HowMade().same_models(PAIR)
    assert HowMade().same_models(HowMade(method="oss"))


@pytest.mark.parametrize("made", [None, {}, "oss"])
def test_facts_of_another_type_are_refused(made):
    with pytest.raises(PresetError, match="made must be a HowMade"):
        preset(made=made)


def test_a_file_of_version_1_is_understood_by_its_sentences():
    read = of_version_1(
        notes="Mine.\nChosen among dpmpp_2m, res_multistep, ipndm and deis.\n"
        "Two models: a from b.safetensors from sigma 0.875 upwards, the second below.",
        effort="pilot of 200 calls",
    )
    assert read.made == HowMade(
        method="pilot",
        chosen_among=("dpmpp_2m", "res_multistep", "ipndm", "deis"),
        boundary=0.875,
        models=("a from b.safetensors", ""),
    )
    assert read.made.beside(read.notes).splitlines() == ["Method: pilot.", *read.notes.splitlines()]
    edited = from_bytes(to_bytes(replace(read, notes="rewritten", effort=None)))
    assert edited.made == read.made


@pytest.mark.parametrize(
    "notes",
    [
        "Chosen among friends.",
        "Chosen among the best, and with care and love.",
        "It was Chosen among a and b.",
        "Chosen among /a/b and /c/d.",
        "Two models: high and low.",
        "Two models: a from sigma 1.2.3 upwards, b below.",
        "Two models: a from sigma 1e999 upwards, b below.",
        "Two models: a from sigma 0.001 upwards, b below.",
        "Two models: a from sigma 1 upwards, b below.",
        "Two models: ../a from sigma 0.5 upwards, b below.",
        f"Chosen among {'a' * 201} and b.",
    ],
)
def test_notes_of_version_1_that_only_look_like_a_fact_stay_notes(notes):
    read = of_version_1(notes=notes)
    assert read.made == HowMade()
    assert read.notes == notes


def test_a_fact_of_version_1_is_read_where_another_is_none():
    read = of_version_1(notes="Two models: a from sigma 7 upwards, b below.\nChosen among a and b.", effort="fast")
    assert read.made == HowMade(chosen_among=("a", "b"))


def test_nothing_is_read_back_from_the_notes_of_version_2():
    text = json.loads(preset_json(preset(notes="Chosen among a and b.", effort="pilot of 9 calls"))) | {"version": 2}
    for facts in ({}, {"made": {}}, {"made": {"scale": 1}}):
        read = from_bytes(save({"sigmas.2": preset().schedules[2]}, {"sigmasmith": json.dumps(text | facts)}))
        assert read.made.chosen_among == ()
        assert read.made.method == ""
