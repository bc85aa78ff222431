"""Infotext of our schedules: written, read again, and pasted where the preset is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosting.preset_store import PresetStore
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import DenoiseMode, Preset
from sigmasmith.schedules.presets.share_code import from_share_code
from sigmasmith.webui import infotext
from sigmasmith.webui.answers import Slicing, answer
from sigmasmith.webui.registration import COSINE, OPTIMAL
from sigmasmith.webui.state import CODE, MATCH, NONE

MODEL = ModelIdentity(
    family="SD15",
    prediction="eps",
    sigma_min=0.029167158529162407,
    sigma_max=14.614641189575195,
    flow=False,
    checkpoint="secret name.safetensors",
    checkpoint_hash="ab" * 32,
)


def preset(*counts: int, curve: str = "karras", name: str = "my model/fast") -> Preset:
    schedules = {count: CURVES[curve](count, MODEL.sigma_min, MODEL.sigma_max, flow=False) for count in counts}
    return Preset(schedules=schedules, sampler="dpmpp_2m", model=MODEL, guidance=5.0, name=name)


def written(
    mine: Preset | None,
    slicing: Slicing,
    *,
    hires: bool = False,
    mode: DenoiseMode = "steps",
    name: str = OPTIMAL,
):
    found = answer(name, slicing, MODEL.sigma_range, preset=mine, mode=mode)
    return found, infotext.written(found, MODEL, hires=hires, mode=mode)


def test_a_list_too_long_for_a_share_code_is_left_out_and_the_image_is_made():
    mine = preset(10)
    _, texts = written(mine, Slicing(10_000, 1, 0.01))
    assert texts == {infotext.PRESET: f"my model/fast ({mine.short_hash})"}


def test_the_code_is_the_presets_own_where_the_hosts_table_ends_elsewhere():
    mine, a1111 = preset(10), replace(MODEL, sigma_min=0.029167532920837402)
    found = answer(OPTIMAL, Slicing(10, 10), a1111.sigma_range, preset=mine)
    code = infotext.written(found, a1111, hires=False, mode="steps")[infotext.SIGMAS]
    assert from_share_code(code).hash == mine.hash


@pytest.fixture
def store(tmp_path) -> PresetStore:
    return PresetStore([tmp_path / "sigmasmith"])


def test_name_hash_and_the_very_sigmas_are_written():
    mine = preset(5, 10)
    found, texts = written(mine, Slicing(10, 10))
    assert texts[infotext.PRESET] == f"my model/fast ({mine.short_hash})"
    held = from_share_code(texts[infotext.SIGMAS])
    assert torch.equal(held.schedules[10], found.sigmas)
    assert len(texts[infotext.SIGMAS]) < 160
    assert infotext.DENOISE not in texts


def test_no_checkpoint_name_or_hash_is_written():
    _, texts = written(preset(10), Slicing(10, 10))
    held = from_share_code(texts[infotext.SIGMAS])
    assert held.model.checkpoint is None
    assert held.model.checkpoint_hash is None


def test_pasting_chooses_the_preset_by_its_hash_even_under_another_name(store):
    mine = preset(10)
    _, texts = written(mine, Slicing(10, 10))
    store.save("renamed", replace(mine, name="renamed"))
    found = infotext.pasted(texts, store)
    assert found is not None
    assert (found.choice, found.code) == ("renamed", "")
    assert "renamed" in found.message
    store.save("my model/fast", mine)
    found = infotext.pasted(texts, store)
    assert found is not None
    assert found.choice in ("renamed", "my model/fast")


@pytest.mark.parametrize("mode", ["steps", "noise_level"])
@pytest.mark.parametrize("same_name", [False, True])
def test_a_missing_preset_is_named_and_its_sigmas_come_back_bit_for_bit(store, mode, same_name):
    if same_name:
        store.save("my model/fast", preset(10, curve="exponential"))
    slicing = Slicing(10, 6, 0.5)
    ran, texts = written(preset(5, 10), slicing, mode=mode)
    found = infotext.pasted(texts, store)
    assert found is not None
    assert found.choice == CODE
    assert found.mode == mode
    assert "not in the folder" in found.message
    assert ("other sigmas" in found.message) == same_name
    again = answer(OPTIMAL, slicing, MODEL.sigma_range, preset=from_share_code(found.code))
    assert torch.equal(again.tail(slicing), ran.tail(slicing))


def test_first_pass_and_hires_pass_come_back_together(store):
    first, hires = Slicing(10, 10), Slicing(20, 10, 0.5)
    one, texts = written(preset(5), first)
    two, more = written(preset(5), hires, hires=True)
    found = infotext.pasted(texts | more, store)
    assert found is not None
    held = from_share_code(found.code)
    assert torch.equal(held.sigmas(10), one.sigmas)
    assert torch.equal(held.sigmas(20), two.sigmas)


def test_curves_restore_a_choice_that_gives_the_same_curve(store):
    _, texts = written(None, Slicing(10, 10))
    assert texts[infotext.PRESET] == "family"
    assert infotext.pasted(texts, store).choice == NONE  # pyright: ignore[reportOptionalMemberAccess]
    _, texts = written(None, Slicing(10, 10), name=COSINE)
    assert infotext.pasted(texts, store).choice == MATCH  # pyright: ignore[reportOptionalMemberAccess]


def test_an_infotext_without_us_changes_nothing(store):
    assert infotext.pasted({"Steps": "20", "Schedule type": "Karras"}, store) is None


@pytest.mark.parametrize(
    "named",
    ["__import__('os').system('x') (aabbccddeeff)", "../../etc/passwd (aabbccddeeff)", "x" * 300 + " (aabbccddeeff)"],
)
@pytest.mark.parametrize("code", ["sigmasmith1:__import__('os')", "sigmasmith1:zzz", "", "sigmasmith1:" + "A" * 99_999])
def test_hostile_texts_are_only_compared_and_refused(store, named, code):
    found = infotext.pasted({infotext.PRESET: named, infotext.SIGMAS: code}, store)
    assert found is not None
    assert found.choice == MATCH
    assert found.code == ""


def test_a_flow_models_sigmas_are_written_too():
    flow = ModelIdentity(family="Flux", prediction="flow", sigma_min=0.003, sigma_max=1.0, flow=True, shift=3.0)
    found = answer(OPTIMAL, Slicing(4, 4), flow.sigma_range)
    held = from_share_code(infotext.written(found, flow, hires=False, mode="steps")[infotext.SIGMAS])
    assert held.model.flow
    assert torch.equal(held.schedules[4], found.sigmas)
