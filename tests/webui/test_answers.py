"""What our schedulers answer, and what is left of it after the host has cut it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.webui.answers import Slicing, answer, in_words
from sigmasmith.webui.registration import ADAPTIVE, COSINE, OPTIMAL

VE = SigmaRange(0.029167158529162407, 14.614641189575195)
FLOW = SigmaRange(0.003, 1.0, flow=True)


def preset(*counts: int, sigma_range: SigmaRange = VE, exact: bool = False) -> Preset:
    low, high, flow = sigma_range.sigma_min, sigma_range.sigma_max, sigma_range.flow
    return Preset(
        schedules={count: CURVES["tangent"](count, low, high, flow=flow) for count in counts},
        sampler="euler",
        model=ModelIdentity(sigma_min=low, sigma_max=high, flow=flow),
        exact=exact,
        name="mine",
    )


def img2img(steps: int, denoise: float, *, fix_steps: bool = False, drops: bool = False) -> Slicing:
    """A1111's rule, Forge's and reForge's too: (steps of the schedule, steps that run)."""
    if fix_steps:
        return Slicing(int(steps / min(denoise, 0.999)), steps, denoise, drops)
    return Slicing(steps, int(min(denoise, 0.999) * steps) + 1, denoise, drops)


def cut_by_host(given: torch.Tensor, slicing: Slicing) -> torch.Tensor:
    """What the host runs of a list: the drop, then sigmas[steps - t_enc - 1:]."""
    assert len(given) == slicing.asked + 1
    if slicing.drops:
        given = torch.cat([given[:-2], given[-1:]])
    return given[slicing.total - (slicing.runs - 1) - 1 :]


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@pytest.mark.parametrize("drops", [False, True])
def test_at_denoise_1_a_fitted_count_runs_bit_for_bit(steps, drops):
    mine = preset(1, 2, 5, 10)
    slicing = Slicing(steps, steps, drops=drops)
    found = answer(OPTIMAL, slicing, VE, preset=mine)
    assert torch.equal(cut_by_host(found.given, slicing), mine.sigmas(steps))
    assert torch.equal(found.tail(slicing), mine.sigmas(steps))
    assert found.preset is mine
    assert not found.fallback


@pytest.mark.parametrize("fix_steps", [False, True])
@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("denoise", [0.05, 0.3, 0.5, 0.75, 0.99])
def test_in_noise_level_mode_the_host_runs_what_python_gives(denoise, drops, fix_steps):
    mine = preset(5, 10)
    slicing = img2img(8, denoise, fix_steps=fix_steps, drops=drops)
    found = answer(OPTIMAL, slicing, VE, preset=mine, mode="noise_level")
    ran = cut_by_host(found.given, slicing)
    assert torch.equal(ran, mine.sigmas(slicing.runs, denoise, mode="noise_level"))
    assert torch.equal(ran, found.tail(slicing))
    check_sigmas(found.sigmas)


@pytest.mark.parametrize("fix_steps", [False, True])
@pytest.mark.parametrize(("asked", "denoise"), [(10, 0.5), (12, 0.4), (20, 0.75)])
def test_of_a_preset_for_changed_images_the_fitted_steps_run_whatever_the_host_cuts(asked, denoise, fix_steps):
    slicing = img2img(asked, denoise, fix_steps=fix_steps)
    full = int(slicing.runs / denoise)
    mine = preset(full)
    partial = replace(mine, denoise=denoise)
    found = answer(OPTIMAL, slicing, VE, preset=partial)
    check_sigmas(found.sigmas)
    assert torch.equal(cut_by_host(found.given, slicing), mine.schedules[full][-(slicing.runs + 1) :])


def test_through_the_plain_dropdown_the_hosts_own_slicing_stays():
    mine, slicing = preset(10), img2img(10, 0.5)
    ran = cut_by_host(answer(OPTIMAL, slicing, VE, preset=mine).given, slicing)
    assert torch.equal(ran, mine.sigmas(10)[-7:])


@given(
    steps=st.integers(1, 150),
    denoise=st.floats(0.01, 1.0),
    fix_steps=st.booleans(),
    drops=st.booleans(),
    flow=st.booleans(),
    noise_level=st.booleans(),
    name=st.sampled_from([OPTIMAL, COSINE, ADAPTIVE]),
)
def test_every_answer_keeps_the_contract_and_the_length_asked_for(
    steps, denoise, fix_steps, drops, flow, noise_level, name
):
    slicing = img2img(steps, denoise, fix_steps=fix_steps, drops=drops)
    sigma_range = FLOW if flow else VE
    mode = "noise_level" if noise_level else "steps"
    if slicing.total > 10_000:
        return
    for mine in (None, preset(5, 10, sigma_range=sigma_range)):
        found = answer(name, slicing, sigma_range, preset=mine, mode=mode)
        assert len(found.given) == slicing.asked + 1
        check_sigmas(found.given)
        assert len(cut_by_host(found.given, slicing)) == slicing.runs + 1
        assert float(found.given[0]) <= sigma_range.sigma_max * (1.0 + 1e-6)


def test_without_a_preset_the_family_answers_and_says_so():
    slicing = Slicing(10, 10)
    for name in (OPTIMAL, ADAPTIVE):
        found = answer(name, slicing, VE)
        assert torch.equal(
            found.given, family_schedule(10, sigma_min=VE.sigma_min, sigma_max=VE.sigma_max, flow=False).sigmas
        )
        assert found.fallback
        assert "the family's list" in in_words(name, found, slicing)


def test_cosine_is_the_cosine_curve_whatever_is_chosen():
    slicing = Slicing(10, 10)
    found = answer(COSINE, slicing, VE, preset=preset(10))
    assert torch.equal(found.given, CURVES["cosine"](10, VE.sigma_min, VE.sigma_max, flow=False))
    assert not found.fallback
    assert found.preset is None


def test_the_first_sigma_is_the_models_where_both_mean_the_same():
    rounded = SigmaRange(0.0292, 14.615)
    found = answer(OPTIMAL, Slicing(5, 5), rounded, preset=preset(5))
    assert float(found.given[0]) == pytest.approx(14.615, abs=1e-6)


def test_an_exact_list_refuses_other_counts_and_serves_its_own():
    mine = preset(8, exact=True)
    assert len(answer(OPTIMAL, Slicing(8, 8), VE, preset=mine).given) == 9
    with pytest.raises(ValueError, match="never interpolated"):
        answer(OPTIMAL, Slicing(9, 9), VE, preset=mine)


def test_the_sentence_names_what_runs_of_it():
    mine, slicing = preset(10), img2img(10, 0.5)
    text = in_words(OPTIMAL, answer(OPTIMAL, slicing, VE, preset=mine), slicing)
    assert "the last 6 of 10 steps of the preset 'mine'" in text
    assert mine.short_hash in text
    assert "Sigmasmith Optimal" in text


@pytest.mark.parametrize(("sampler", "served"), [("sigmasmith_multistep", True), (None, True), ("dpmpp_2m", False)])
def test_on_flow_models_only_the_familys_own_sampler_runs_its_list(sampler, served):
    slicing, limits = Slicing(8, 8), {"sigma_min": FLOW.sigma_min, "sigma_max": FLOW.sigma_max, "flow": True}
    found = answer(OPTIMAL, slicing, FLOW, sampler=sampler)
    assert torch.equal(found.sigmas, family_schedule(8, **limits, sampler=sampler or "sigmasmith_multistep").sigmas)
    said = in_words(OPTIMAL, found, slicing)
    assert ("schedule simple, for untuned the family of flow models is for Sigmasmith Multistep" in said) != served
    assert found.measured is served
    assert found.fallback
