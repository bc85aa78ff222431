"""The preset as a value: what it accepts, the sigmas it gives, its hash, what it says about another run."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.sigmas import CLOSEST, check_sigmas
from sigmasmith.schedules.core.words import Phrase
from sigmasmith.schedules.presets.checks import PresetError
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.preset import Preset

SD15 = ModelIdentity(family="SD15", prediction="eps", sigma_min=0.0291675, sigma_max=14.6146421, flow=False)
FLUX = ModelIdentity(family="Flux", prediction="flow", sigma_min=0.003, sigma_max=1.0, flow=True, shift=1.15)


def geometric(steps: int, model: ModelIdentity = SD15) -> torch.Tensor:
    ratio = (model.sigma_min / model.sigma_max) ** (1.0 / max(steps - 1, 1))
    return torch.tensor([model.sigma_max * ratio**i for i in range(steps)] + [0.0])


def preset(*counts: int, model: ModelIdentity = SD15, **fields) -> Preset:
    fields.setdefault("sampler", "dpmpp_2m")
    return Preset(schedules={steps: geometric(steps, model) for steps in counts or (5, 10)}, model=model, **fields)


def test_fitted_count_comes_back_bit_for_bit_and_as_a_copy():
    made = preset(5, 10)
    first = made.sigmas(10)
    assert torch.equal(first, geometric(10))
    first[0] = 99.0
    assert torch.equal(made.sigmas(10), geometric(10))


@pytest.mark.parametrize("exact", [False, True])
def test_levels_that_are_one_to_every_solver_are_kept_and_run_apart(exact):
    close = geometric(10)
    close[4:9] = close[3] * (1.0 - 1.2e-7 * torch.arange(1, 6))
    made = Preset(schedules={10: close}, sampler="euler", model=SD15, exact=exact)
    run = made.sigmas(10)
    assert torch.equal(made.schedules[10], close)
    assert float((1.0 - run[1:10] / run[:9]).min()) > 0.8 * CLOSEST
    assert torch.allclose(run, close, rtol=1e-4)
    assert made.hash == dataclasses.replace(made, name="again").hash


def test_changing_the_given_tensor_later_leaves_the_preset_alone():
    given_sigmas = geometric(5)
    made = Preset(schedules={5: given_sigmas}, sampler="euler", model=SD15)
    given_sigmas[0] = 99.0
    assert torch.equal(made.sigmas(5), geometric(5))


@pytest.mark.parametrize("model", [SD15, FLUX], ids=lambda model: model.family)
@pytest.mark.parametrize("mode", ["steps", "noise_level"])
@pytest.mark.parametrize("denoise", [1.0, 0.6])
@pytest.mark.parametrize("steps", [1, 2, 7, 10, 30])
def test_every_question_gets_a_list_that_keeps_the_contract(model, mode, denoise, steps):
    sigmas = preset(5, 10, model=model).sigmas(steps, denoise, mode)
    assert len(sigmas) == steps + 1
    assert torch.equal(check_sigmas(sigmas), sigmas)
    assert float(sigmas[0]) <= model.sigma_max


def test_denoise_takes_the_tail_of_the_longer_schedule():
    made = preset(5, 10)
    assert torch.equal(made.sigmas(5, 0.5), geometric(10)[-6:])


def test_noise_level_starts_where_the_share_of_noise_says():
    assert float(preset(10, model=FLUX).sigmas(8, 0.5, "noise_level")[0]) == 0.5


def test_is_fitted_tells_own_counts_from_interpolated_ones():
    made = preset(5, 10)
    assert made.is_fitted(5)
    assert not made.is_fitted(7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0,), "steps"), ((10, 0.0), "denoise"), ((10, 1.5), "denoise"), ((10, 1.0, "legacy"), "mode")],
)
def test_a_wrong_question_is_refused_by_name(arguments, said):
    with pytest.raises(ValueError, match=said):
        preset().sigmas(*arguments)


def test_exact_preset_gives_only_its_own_lists():
    made = preset(8, exact=True)
    assert torch.equal(made.sigmas(8), geometric(8))
    with pytest.raises(ValueError, match=r"exact list for 8 steps and is never interpolated: it has no list for 9"):
        made.sigmas(9)


def test_exact_preset_is_cut_only_where_the_whole_list_is_its_own():
    made = preset(8, exact=True)
    assert torch.equal(made.sigmas(4, 0.5), geometric(8)[-5:])
    with pytest.raises(ValueError, match=r"4 steps at denoise 0\.6 are the end of a list of 6 steps, which it does"):
        made.sigmas(4, 0.6)
    with pytest.raises(ValueError, match="noise level"):
        made.sigmas(8, 0.99, "noise_level")
    assert torch.equal(made.sigmas(8, 1.0, "noise_level"), geometric(8))


def test_hash_follows_what_decides_the_sigmas_and_nothing_else():
    made = preset(5, 10)
    assert len(made.hash) == 64
    assert made.hash.startswith(made.short_hash)
    assert len(made.short_hash) == 12
    silent = {"notes": "other", "name": "a/b", "sampler": "euler", "guidance": 3.0, "errors": {5: {"karras": 1.0}}}
    assert dataclasses.replace(made, **silent).hash == made.hash
    assert dataclasses.replace(made, model=dataclasses.replace(SD15, family="SDXL")).hash == made.hash
    decisive = [
        preset(5),
        preset(5, 10, exact=True),
        dataclasses.replace(made, model=dataclasses.replace(SD15, sigma_min=0.03)),
        dataclasses.replace(made, model=dataclasses.replace(SD15, sigma_max=14.62)),
    ]
    assert len({made.hash, *(other.hash for other in decisive)}) == 5


def test_hash_sees_the_last_bit_of_a_sigma():
    other = geometric(5)
    other[2] = torch.nextafter(other[2], torch.tensor(0.0))
    assert Preset(schedules={5: other}, sampler="", model=SD15).hash != preset(5).hash


def test_a_host_may_deep_copy_the_preset():
    made = preset(5, 10)
    assert copy.deepcopy(made).hash == made.hash


def test_negative_zero_at_the_end_is_spelled_zero():
    made = Preset(schedules={1: torch.tensor([1.0, -0.0])}, sampler="", model=SD15)
    assert not torch.signbit(made.schedules[1][-1])


BROKEN = {
    "no schedule": ({"schedules": {}}, "at least one step count"),
    "65 schedules": ({"schedules": {n: geometric(n) for n in range(1, 66)}}, "65 entries, at most 64"),
    "0 steps": ({"schedules": {0: torch.tensor([0.0])}}, "from 1 to 10000"),
    "step count as text": ({"schedules": {"5": geometric(5)}}, "from 1 to 10000"),
    "true as step count": ({"schedules": {True: geometric(1)}}, "from 1 to 10000"),
    "wrong length": ({"schedules": {5: geometric(6)}}, r"sigmas\.5 must have 6 values, got 7"),
    "rising": ({"schedules": {2: torch.tensor([1.0, 2.0, 0.0])}}, r"sigmas\.2 must be strictly decreasing"),
    "NaN": ({"schedules": {2: torch.tensor([1.0, float("nan"), 0.0])}}, r"sigmas\.2\[1\] is nan"),
    "no zero": ({"schedules": {2: torch.tensor([2.0, 1.0, 0.5])}}, "must end in 0"),
    "a word": ({"schedules": {2: "abc"}}, r"sigmas\.2 must be numbers"),
    "above the table": ({"schedules": {1: torch.tensor([15.0, 0.0])}}, "above the model's"),
    "flow above 1": ({"schedules": {1: torch.tensor([1.1, 0.0])}, "model": FLUX, "exact": True}, "above the model's 1"),
    "no model": ({"model": {"family": "SD15"}}, "model must be a ModelIdentity"),
    "exact as number": ({"exact": 1}, "exact must be true or false"),
    "guidance NaN": ({"guidance": float("nan")}, "guidance must be finite"),
    "guidance as text": ({"guidance": "7"}, "guidance must be a number"),
    "huge guidance": ({"guidance": 10**400}, "guidance must be finite"),
    "latent size": ({"latent_shape": (4, 0, 64)}, "latent_shape must be a whole number"),
    "no latent size": ({"latent_shape": ()}, "latent_shape"),
    "seed": ({"seeds": (-1,)}, "seeds must be a whole number"),
    "seed too large": ({"seeds": (2**64,)}, "seeds must be a whole number"),
    "origin elsewhere": ({"origin": {7: "karras"}}, "origin speaks of 7 steps"),
    "error negative": ({"errors": {5: {"karras": -1.0}}}, r"errors\.5\.karras must be at least 0"),
    "error infinite": ({"errors": {5: {"karras": float("inf")}}}, r"errors\.5\.karras must be finite"),
    "errors a list": ({"errors": {5: [1.0]}}, r"errors\.5 must be a mapping"),
    "coefficients rows": (
        {"coefficients": {5: torch.zeros(4, 2)}},
        r"coefficients\.5 must have the shape \(5, 1 to 16\)",
    ),
    "coefficients NaN": ({"coefficients": {5: torch.full((5, 2), float("nan"))}}, r"coefficients\.5 must be finite"),
    "coefficients elsewhere": ({"coefficients": {6: torch.zeros(6, 2)}}, "coefficients speaks of 6 steps"),
    "notes too long": ({"notes": "x" * 2_001}, "notes has 2001 characters, at most 2000"),
    "sampler too long": ({"sampler": "x" * 201}, "sampler has 201 characters"),
    "line break in sampler": ({"sampler": "a\nb"}, r"sampler holds the forbidden character U\+000A"),
    "control character in notes": ({"notes": "a\x1b[31m"}, r"notes holds the forbidden character U\+001B"),
    "direction override": ({"author": "a\u202eb"}, r"author holds the forbidden character U\+202E"),
    "lone surrogate": ({"author": "\ud800"}, r"author holds the forbidden character U\+D800"),
    "path as tool": ({"tool": "/home/ada/tool"}, "tool looks like a path"),
    "drive as author": ({"author": "C:/Users/Ada"}, "author looks like a path"),
    "home as licence": ({"licence": "~/licence"}, "licence looks like a path"),
    "path in an origin": ({"origin": {5: "C:\\x"}}, r"origin\.5 looks like a path"),
    "path as name": ({"name": "../x"}, "preset name"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_field_that_breaks_the_format_is_refused_by_name(case):
    changes, said = BROKEN[case]
    with pytest.raises(PresetError, match=said):
        dataclasses.replace(preset(5, 10), **changes)


def test_relative_sampler_names_of_other_packs_are_kept():
    assert preset(sampler="multistep/res_2m").sampler == "multistep/res_2m"


def test_exact_list_may_start_above_the_models_table():
    exact = Preset(schedules={1: torch.tensor([700.0, 0.0])}, sampler="", model=SD15, exact=True)
    assert float(exact.sigmas(1)[0]) == 700.0


def test_nothing_is_said_about_the_run_it_was_fitted_for():
    made = preset(guidance=7.0, latent_shape=(4, 64, 64))
    assert made.differences() == []
    assert made.differences(SD15, "dpmpp_2m", 7, (4, 64, 64)) == []


def test_each_thing_that_differs_is_said_in_one_sentence():
    made = preset(guidance=7.0, latent_shape=(4, 64, 64), model=FLUX)
    other = dataclasses.replace(FLUX, shift=3.0)
    assert made.differences(other, "euler", 4.5, (4, 128, 128)) == [
        "Fitted for shift 1.15, this model has 3.",
        "Fitted for sampler dpmpp_2m, this run uses euler.",
        "Fitted at guidance 7, this run uses 4.5.",
        "Fitted at 512x512 pixels, this run has 1024x1024 pixels.",
    ]


def test_a_page_can_say_each_thing_that_differs_in_its_own_language():
    made = preset(guidance=7.0, latent_shape=(4, 64, 64), model=FLUX)
    for model in (SD15, dataclasses.replace(FLUX, shift=3.0), dataclasses.replace(FLUX, checkpoint="other")):
        said = made.differences(model, "euler", 4.5, (4, 128, 128))
        said += made.made_otherwise(HowMade(on_model=("RescaleCFG", "FreeU")))
        assert said
        assert all(isinstance(sentence, Phrase) for sentence in said), said


def test_a_preset_for_changed_images_says_when_a_run_starts_above_them():
    made = preset(10, 16, denoise=0.5)
    start = float(geometric(16)[8])
    assert made.differences(start_sigma=start) == []
    assert made.differences(start_sigma=0.3 * start) == []
    said = made.differences(start_sigma=SD15.sigma_max)
    assert said == [f"Fitted for changing images at denoise 0.5, from sigma {start:.4g}; this run starts at 14.61."]
    assert preset(10).differences(start_sigma=SD15.sigma_max) == []


def test_a_preset_for_changed_images_knows_how_many_steps_of_a_list_run():
    made = preset(14, 28, denoise=0.35)
    assert [made.running(full) for full in (14, 28)] == [5, 10]
    assert made.is_fitted(5, 0.35)
    assert not made.is_fitted(5)
    assert not made.is_fitted(14)  # of which five steps were fitted
    assert preset(14).running(14) == 14


def test_what_the_preset_does_not_know_is_not_compared():
    assert preset(sampler="").differences(None, "euler", 4.5, (4, 128, 128)) == []


@given(
    patterns=st.sets(st.integers(1, 0x7F7FFFFF), min_size=1, max_size=12),
    steps=st.integers(1, 40),
    denoise=st.floats(0.05, 1.0),
    mode=st.sampled_from(["steps", "noise_level"]),
)
def test_any_valid_preset_answers_or_refuses_in_words(patterns, steps, denoise, mode):
    values = torch.tensor(sorted(patterns, reverse=True), dtype=torch.int32).view(torch.float32)
    widest = ModelIdentity(sigma_min=1e-38, sigma_max=3.4e38, flow=False)
    made = Preset(schedules={len(values): torch.cat([values, torch.zeros(1)])}, sampler="", model=widest)
    try:
        sigmas = made.sigmas(steps, denoise, mode)
    except ValueError:
        return
    assert torch.equal(check_sigmas(sigmas), sigmas)
