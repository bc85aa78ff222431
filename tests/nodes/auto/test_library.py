"""Which preset Auto takes from the library, and the sigmas that it gives a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sigmasmith.nodes.auto.library import RunFacts, choice_of, matching, preset_name
from sigmasmith.nodes.edits import PATCHES
from sigmasmith.schedules.family.learned import VERSION
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.names import check_name
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.samplers.fitted import NAME

SPAN = (0.0291675, 14.614641)
MODEL = ModelIdentity(
    family="SD15",
    prediction="eps",
    sigma_min=SPAN[0],
    sigma_max=SPAN[1],
    flow=False,
    checkpoint="mine.ckpt",
    patches="",
)
FACTS = RunFacts(MODEL, "", (NAME, "euler"), 8, SPAN[1], True, 7.0, (4, 64, 64))


def preset(**changed) -> Preset:
    fields = {
        "schedules": {count: CURVES["karras"](count, *SPAN) for count in (8, 12)},
        "sampler": NAME,
        "model": MODEL,
        "guidance": 7.0,
        "latent_shape": (4, 64, 64),
    }
    return Preset(**(fields | changed))


def raced(scale: float = 1.35, stretch: float = 1.1, version: int = VERSION, **changed) -> Preset:
    made = HowMade(method="family", more={"family": {"version": version, "scale": scale, "stretch": stretch}})
    lists = {8: family_schedule(8, sigma_min=SPAN[0], sigma_max=SPAN[1], scale=scale, stretch=stretch).sigmas}
    return preset(**({"schedules": lists, "made": made, "effort": "quick"} | changed))


def matched(known: Preset, facts: RunFacts = FACTS, **options) -> bool:
    return matching({"one": known}, facts, **options) is known


def chosen(known: Preset, facts: RunFacts) -> tuple[torch.Tensor, str]:
    choice = choice_of(known, facts)
    assert choice is not None
    return choice


def test_a_preset_of_this_model_and_run_is_taken():
    assert matched(preset())
    assert matched(preset(sampler="euler"))


@pytest.mark.parametrize(
    "other",
    [
        {"model": replace(MODEL, checkpoint="other.ckpt")},
        {"model": replace(MODEL, checkpoint=None)},
        {"model": replace(MODEL, patches="ab" * 8)},
        {"model": replace(MODEL, patches=None)},
        {"model": replace(MODEL, prediction="v")},
        {"sampler": "dpmpp_2m"},
        {"guidance": 4.0},
        {"guidance": None},
        {"schedules": {9: CURVES["karras"](9, *SPAN)}},
        {"made": HowMade(boundary=2.0, models=("a", "b"))},
        {"denoise": 0.5},
    ],
)
def test_a_preset_of_another_model_or_run_is_not_taken(other):
    assert not matched(preset(**other))


def test_a_model_of_unknown_file_takes_no_preset():
    unknown = replace(FACTS, identity=replace(MODEL, checkpoint=None))
    assert not matched(preset(), unknown)
    assert not matched(preset(model=replace(MODEL, checkpoint=None)), unknown)


def test_small_edits_keep_the_preset():
    assert matched(preset(), replace(FACTS, guidance=7.05))
    assert matched(preset(), replace(FACTS, latent_shape=(4, 96, 64)))
    stronger = replace(FACTS, identity=replace(MODEL, patches="cd" * 8), patches="ef" * 8)
    assert matched(preset(model=replace(MODEL, patches="ab" * 8), made=HowMade(more={PATCHES: "ef" * 8})), stronger)
    assert not matched(preset(model=replace(MODEL, patches="ab" * 8), made=HowMade(more={PATCHES: "01" * 8})), stronger)


def test_a_preset_fitted_under_another_guider_or_told_guidance_is_not_taken_and_has_another_name():
    dual = HowMade(guidance={"guider": "DualCFG", "cfg1": 7.0, "cfg2": 3.0})
    told = HowMade(guidance={"told": 3.5})
    for how, others in (
        (dual, ({"guider": "DualCFG", "cfg1": 7.0, "cfg2": 4.0}, {})),
        (told, ({"told": 2.0},)),
    ):
        facts = replace(FACTS, guidance=None, made=how)
        known = preset(guidance=None, made=how)
        assert matched(known, facts)
        for other in others:
            running = replace(facts, made=HowMade(guidance=other))
            assert not matched(known, running)
            assert preset_name(running) != preset_name(facts)
        assert check_name(preset_name(facts)) == preset_name(facts)


def test_the_fitted_samplers_preset_comes_before_one_for_the_sampler_that_is_set():
    both = {"a": preset(sampler="euler"), "b": preset()}
    assert matching(both, FACTS) is both["b"]
    assert matching(both, replace(FACTS, samplers=("euler",))) is both["a"]


def test_scale_and_stretch_serve_every_step_count_and_are_not_enough_where_a_fit_is_wanted():
    known = raced()
    for steps in (3, 8, 11, 30):
        facts = replace(FACTS, steps=steps)
        assert matched(known, facts)
        sigmas, sampler = chosen(known, facts)
        assert sampler == NAME
        # The preset's range is the file's, float32.
        low, high = known.model.sigma_min, known.model.sigma_max
        expected = family_schedule(steps, sigma_min=low, sigma_max=high, scale=1.35, stretch=1.1).sigmas
        assert torch.equal(sigmas, expected)
    assert not matched(known, replace(FACTS, steps=2))
    assert not matched(known, replace(FACTS, steps=31))
    assert not matched(known, refined=True)
    assert matched(preset(effort="fast"), refined=True)
    assert matched(preset(), refined=True)


def test_the_sigmas_of_its_own_count_are_those_that_it_holds():
    known = raced()
    assert torch.equal(chosen(known, FACTS)[0], known.schedules[8])
    rows = {8: torch.zeros(8, 3)}
    for held, sampler in (
        (preset(coefficients=rows), NAME),
        (preset(), "dpmpp_2m"),
        (preset(sampler="euler"), "euler"),
    ):
        sigmas, named = chosen(held, FACTS)
        assert torch.equal(sigmas, held.schedules[8])
        assert named == sampler


def test_scale_and_stretch_of_another_version_serve_no_other_count():
    old = raced(version=VERSION + 1)
    assert not matched(old, replace(FACTS, steps=11))
    assert matched(old)
    assert torch.equal(chosen(old, FACTS)[0], old.schedules[8])


def test_a_hosts_schedule_that_won_runs_as_it_was_measured():
    karras = {8: CURVES["karras"](8, *SPAN)}
    won = raced(schedules=karras, origin={8: "karras"}, errors={8: {"fitted": 0.2, "karras": 0.1}})
    sigmas, sampler = chosen(won, FACTS)
    assert torch.equal(sigmas, karras[8])
    assert sampler == "dpmpp_2m"
    assert not matched(won, replace(FACTS, steps=11))


def test_where_nothing_could_be_fitted_that_is_remembered_and_nothing_is_to_run():
    failed = preset(origin={8: "karras"}, errors={8: {"karras": 0.1}})
    assert matched(failed)
    assert choice_of(failed, FACTS) is None


def test_a_run_in_the_middle_of_the_noise_takes_the_preset_that_starts_there():
    lists = {16: CURVES["karras"](16, *SPAN)}
    half = preset(schedules=lists, sampler="euler", denoise=0.5)
    start = float(lists[16][-9])
    facts = replace(FACTS, samplers=("euler",), whole=False, start=start)
    assert matched(half, facts)
    sigmas, sampler = chosen(half, facts)
    assert torch.equal(sigmas, lists[16][-9:])
    assert sampler == "euler"
    assert not matched(half, replace(facts, start=1.2 * start))
    assert not matched(half, replace(facts, steps=7))
    assert not matched(preset(sampler="euler"), facts)
    assert not matched(raced(sampler="euler"), facts)


def test_a_name_tells_model_steps_and_guidance_and_is_one_on_every_system():
    assert preset_name(FACTS) == "auto/mine, 8 steps, cfg 7"
    odd = replace(MODEL, checkpoint='mine:v2*?"<.safetensors', patches="abcdef0123456789")
    named = preset_name(replace(FACTS, identity=odd, samplers=("euler",), guidance=None))
    assert named == "auto/mine_v2____, 8 steps, euler, patched abcdef"
    long = replace(MODEL, checkpoint="x" * 190 + ".ckpt")
    for name in (named, preset_name(replace(FACTS, identity=long))):
        assert check_name(name) == name
