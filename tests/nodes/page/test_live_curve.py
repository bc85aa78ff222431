"""Live curves: what a node's answer holds, for every kind of node, good values and bad ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes.page.live_curve import live_curve, shared_preset
from sigmasmith.nodes.page.live_request import parse_request
from sigmasmith.schedules.hosting.lists import preset_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.share_code import from_share_code, to_share_code

from .page_presets import CHECKPOINT, FLUX, LOADER, SD15, Host, node, preset

MINE = preset()


def answer_of(request: dict[str, Any], host: Host | None = None) -> dict[str, Any]:
    found = live_curve(parse_request(request), host or Host({"mine": MINE}, SD15))
    json.dumps(found, allow_nan=False)
    return found


def schedule(**values: Any) -> dict[str, Any]:
    defaults = {"steps": 10, "denoise": 1.0, "mode": "host (keep the steps)"}
    return {"node": node("SigmasmithSchedule", **(defaults | values)), "preset": [LOADER]}


def drawn(answer: dict[str, Any]) -> list[float]:
    return [point[2] for point in answer["plot"]["curves"][0]["points"]]


def test_a_schedule_node_draws_the_sigmas_that_it_will_give():
    answer = answer_of(schedule(steps=8))
    assert drawn(answer) == pytest.approx(MINE.sigmas(8).tolist(), rel=1e-6)
    assert answer["summary"] == "8 steps will run, from sigma 14.615 to 0; fitted. Made for dpmpp_2m."
    assert answer["cut"] == 0
    assert answer["plot"]["curves"][0]["said"][1].startswith("step 1 of 8: sigma ")


def test_below_denoise_1_the_whole_schedule_is_drawn_and_cut_where_the_run_starts():
    answer = answer_of(schedule(steps=5, denoise=0.5))
    assert answer["cut"] == 5
    assert drawn(answer) == pytest.approx(MINE.sigmas(10).tolist(), rel=1e-6)
    run = MINE.sigmas(5, 0.5)
    assert drawn(answer)[5:] == pytest.approx(run.tolist(), rel=1e-6)
    assert answer["plot"]["curves"][0]["said"][4].startswith("left out by denoise")
    assert answer["plot"]["curves"][0]["said"][5].startswith("step 0 of 5")
    assert "start" in answer
    assert not [text for text in answer["warnings"] if "below the model" in text]


def test_noise_level_mode_has_no_cut_and_no_warning_of_its_low_start():
    answer = answer_of(schedule(steps=5, denoise=0.5, mode="noise level"))
    assert "; interpolated from 5, 8, 10 steps." in answer["summary"]
    assert answer["cut"] == 0
    assert drawn(answer) == pytest.approx(MINE.sigmas(5, 0.5, "noise_level").tolist(), rel=1e-6)
    assert not [text for text in answer["warnings"] if "below the model" in text]


def test_stock_curves_of_the_same_length_are_drawn_beside_it():
    names = [curve["name"] for curve in answer_of(schedule())["plot"]["curves"]]
    assert names == ["this schedule", "simple", "karras", "beta"]
    assert {curve["steps"] for curve in answer_of(schedule())["plot"]["curves"]} == {10}


def test_a_curve_is_not_compared_with_itself():
    request = {"node": node("SigmasmithCurve", steps=10, denoise=1.0, curve="karras", settings="")}
    assert [curve["name"] for curve in answer_of(request)["plot"]["curves"]] == ["this schedule", "simple", "beta"]


@pytest.mark.parametrize("curve", sorted(CURVES))
def test_every_curve_is_drawn_on_the_model_in_the_graph(curve):
    request = {"node": node("SigmasmithCurve", steps=6, denoise=1.0, curve=curve), "model": [CHECKPOINT]}
    answer = answer_of(request, Host(model=FLUX))
    assert drawn(answer)[0] == 1.0
    assert answer["hint"] == ""


def test_without_a_known_model_a_curve_says_for_which_one_it_is_drawn():
    answer = answer_of({"node": node("SigmasmithCosine", steps=6)}, Host())
    assert "not known" in answer["hint"]
    assert drawn(answer)[0] == pytest.approx(14.6146, rel=1e-4)


def test_values_that_come_through_a_link_are_named():
    request = {"node": {"type": "SigmasmithCosine", "values": {}, "linked": ["steps"]}}
    assert answer_of(request)["hint"] == "steps comes through a link; drawn for the default."


def test_settings_change_the_curve():
    plain = answer_of({"node": node("SigmasmithCurve", steps=6, curve="karras", settings="")})
    bent = answer_of({"node": node("SigmasmithCurve", steps=6, curve="karras", settings="rho=3")})
    assert drawn(plain) != drawn(bent)


def test_a_wrong_setting_is_a_sentence_that_names_the_input():
    answer = answer_of({"node": node("SigmasmithCurve", steps=6, curve="karras", settings="rho=seven")})
    assert answer == {"problem": "settings: rho must be a number, got 'seven'"}


def test_load_preset_draws_its_middle_count_and_the_others_faintly():
    answer = answer_of({"node": LOADER})
    assert [curve["name"] for curve in answer["plot"]["curves"]] == [
        "this schedule", "5 steps", "10 steps", "simple", "karras",
    ]  # fmt: skip
    assert answer["summary"].startswith("Fitted for 5, 8, 10 steps, sampler dpmpp_2m; drawn: 8 steps, from")


def test_load_preset_draws_a_share_code_without_any_file():
    code = to_share_code(MINE)
    answer = answer_of({"node": node("SigmasmithLoadPreset", preset="(share code)", share_code=code)}, Host())
    assert drawn(answer) == pytest.approx(MINE.sigmas(8).tolist(), rel=1e-6)


def test_a_missing_preset_is_said():
    assert "there is no preset" in answer_of({"node": node("SigmasmithLoadPreset", preset="other")})["problem"]


def test_a_schedule_without_a_preset_says_what_to_connect():
    assert "connect Sigmasmith Load Preset" in answer_of({"node": node("SigmasmithSchedule", steps=5)})["problem"]


@pytest.mark.parametrize("kind", ["SigmasmithFit", "SigmasmithFitGuider", "SigmasmithAdaptiveSchedule"])
def test_a_fit_that_has_not_run_says_so_and_one_that_has_is_drawn(kind):
    request = {"node": node(kind, name="mine", sampler_name="euler")}
    assert "Queue it once" in answer_of(request, Host())["problem"]
    assert "Fitted for sampler dpmpp_2m, this run uses euler." in answer_of(request)["warnings"]


def test_a_preset_for_changed_images_is_drawn_as_it_runs_and_warned_of_where_it_does_not_belong():
    half = preset((10, 16), denoise=0.5)
    host = Host({"mine": half}, SD15)
    answer = answer_of({"node": LOADER}, host)
    assert answer["summary"].startswith("Fitted for 5, 8 steps at denoise 0.5, sampler dpmpp_2m; drawn: 5 steps, from")
    assert answer["summary"].endswith(f"from sigma {float(half.sigmas(5, 0.5)[0]):.5g} to 0.")
    assert answer["cut"] == 5
    assert drawn(answer) == pytest.approx(half.sigmas(10).tolist(), rel=1e-6)
    assert answer_of(apply(steps=5, denoise=0.5), host)["warnings"] == []
    assert "; fitted." in answer_of(apply(steps=5, denoise=0.5), host)["summary"]
    whole = answer_of(apply(steps=10), host)["summary"]
    assert "; interpolated from 5, 8 steps at denoise 0.5." in whole
    assert any("changing images at denoise 0.5" in said for said in answer_of(apply(), host)["warnings"])
    fit = {"node": node("SigmasmithFit", name="mine", sampler_name="dpmpp_2m", denoise=0.5)}
    assert answer_of(fit, host)["warnings"] == []
    fit = {"node": node("SigmasmithFit", name="mine", sampler_name="dpmpp_2m")}
    assert answer_of(fit, host)["warnings"] == ["Fitted for denoise 0.5, this node asks for 1."]


def test_save_preset_passes_the_preset_of_the_node_before_it_on():
    saver = node("SigmasmithSavePreset", name="x")
    assert drawn(answer_of({"node": saver, "preset": [LOADER]})) == pytest.approx(MINE.sigmas(8).tolist(), rel=1e-6)
    through = {"node": node("SigmasmithSchedule", steps=8), "preset": [saver, LOADER]}
    assert drawn(answer_of(through)) == pytest.approx(MINE.sigmas(8).tolist(), rel=1e-6)


def apply(**values: Any) -> dict[str, Any]:
    run = {"steps": 10, "denoise": 1.0, "scheduler": "sigmasmith_optimal", "sampler_name": "dpmpp_2m", "cfg": 5.0}
    return {
        "node": node("SigmasmithApply"),
        "preset": [LOADER],
        "model": [CHECKPOINT],
        "run": node("KSampler", **(run | values)),
    }


def test_apply_draws_what_the_sampler_behind_it_will_run():
    answer = answer_of(apply(steps=4, denoise=0.4))
    assert answer["cut"] == 6
    assert drawn(answer)[6:] == pytest.approx(MINE.sigmas(4, 0.4).tolist(), rel=1e-6)
    assert answer["warnings"] == []


def test_apply_draws_what_the_dropdown_gives_where_that_is_not_the_preset_s_own_list():
    # A host asks for 40 steps and runs the last 20: on a flow model too far from 5 to 10 steps for the fit to serve.
    flow = preset(model=FLUX, errors={10: {"fitted": 0.01, "simple": 0.02}})
    answer = answer_of(apply(steps=20, denoise=0.5), Host({"mine": flow}, FLUX))
    sigmas, said = preset_sigmas(flow, 40, 1.0)
    assert not torch.equal(sigmas, flow.sigmas(40))
    assert drawn(answer) == pytest.approx(sigmas.tolist(), rel=1e-6)
    assert answer["cut"] == 20
    assert said in answer["summary"]


def test_apply_warns_of_another_scheduler_sampler_and_guidance():
    host = Host({"mine": preset(guidance=7.0)}, SD15)
    warnings = answer_of(apply(scheduler="karras", sampler_name="euler"), host)["warnings"]
    assert warnings == [
        "KSampler behind this node uses the scheduler karras; choose sigmasmith_optimal there.",
        "Fitted for sampler dpmpp_2m, this run uses euler.",
        "Fitted at guidance 7, this run uses 5.",
    ]


def test_apply_warns_of_another_shift_in_words():
    other = type(FLUX)(**{**vars(FLUX), "shift": 1.15, "sigma_min": 0.00115})
    host = Host({"mine": preset(model=FLUX)}, other)
    assert "Fitted for shift 3, this model has 1.15." in answer_of(apply(), host)["warnings"]


def test_apply_refuses_a_preset_of_the_other_kind_of_model():
    assert "sigmas do not fit" in answer_of(apply(), Host({"mine": MINE}, FLUX))["problem"]


def test_apply_without_a_sampler_shows_the_preset_and_says_what_to_connect():
    request = apply()
    del request["run"]
    assert "sampler" in answer_of(request)["hint"]


def test_a_large_last_step_is_a_warning():
    exact = preset((4,), exact=True)
    host = Host({"mine": type(exact)(**{**vars(exact), "schedules": {4: [14.6, 6.0, 2.0, 0.9, 0.0]}})})
    assert "Last step jumps from 0.9 to 0." in answer_of(schedule(steps=4), host)["warnings"]


def test_an_exact_list_is_never_drawn_at_another_count():
    problem = answer_of(schedule(steps=5), Host({"mine": preset((4,), exact=True)}))["problem"]
    assert "no list for 5 steps" in problem


def test_the_text_alternative_says_summary_and_warnings():
    answer = answer_of(apply(scheduler="karras"))
    assert answer["summary"] in answer["aria"]
    assert answer["warnings"][0] in answer["aria"]


def test_a_node_whose_curve_only_a_run_finds_says_so():
    assert "when it has run" in answer_of({"node": node("SigmasmithOther")})["problem"]


def test_thousands_of_steps_make_a_small_answer():
    answer = answer_of({"node": node("SigmasmithCosine", steps=10_000)})
    assert len(json.dumps(answer)) < 60_000


def test_share_code_of_a_schedule_node_is_its_preset():
    shared = shared_preset(parse_request(schedule()), Host({"mine": MINE}))
    assert from_share_code(to_share_code(shared)).hash == MINE.hash


def test_share_code_of_a_curve_node_is_its_exact_run():
    request = {"node": node("SigmasmithCurve", steps=5, denoise=0.5, curve="karras"), "model": [CHECKPOINT]}
    shared = from_share_code(to_share_code(shared_preset(parse_request(request), Host(model=SD15))))
    assert shared.exact
    assert shared.model.family == "SD15"
    whole = CURVES["karras"](10, SD15.sigma_min, SD15.sigma_max, flow=False)
    assert torch.equal(shared.schedules[5], whole[-6:])


@pytest.mark.parametrize(
    "request_data",
    [
        None,
        [],
        {},
        {"node": None},
        {"node": {"type": 5}},
        {"node": {"type": ""}},
        {"node": {"type": "x" * 500}},
        {"node": {"type": "a", "values": []}},
        {"node": {"type": "a", "values": {"b": [1]}}},
        {"node": {"type": "a", "values": {"b": float("nan")}}},
        {"node": {"type": "a", "values": {"b": float("inf")}}},
        {"node": {"type": "a", "values": {"b": 10**400}}},
        {"node": {"type": "a", "values": {"b": "x" * 100_000}}},
        {"node": {"type": "a", "values": {str(i): 1 for i in range(100)}}},
        {"node": {"type": "a", "linked": [1]}},
        {"node": {"type": "a"}, "model": {"type": "a"}},
        {"node": {"type": "a"}, "model": [{"type": "a"}] * 100},
        {"node": {"type": "a"}, "preset": [None]},
        {"node": {"type": "a"}, "run": 5},
    ],
)
def test_a_malformed_request_is_refused_with_a_sentence(request_data):
    with pytest.raises(ValueError, match=r"\w"):
        parse_request(request_data)


@pytest.mark.parametrize("seed", [2**50, 2**64 - 1])
def test_every_seed_that_a_host_draws_or_takes_is_a_number_of_a_run(seed):
    request = schedule() | {"run": node("KSampler", steps=10, seed=seed)}
    assert drawn(answer_of(json.loads(json.dumps(request)))) == drawn(answer_of(schedule()))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 20_000), st.just(2**64 - 1), st.floats(-2, 3), st.text(max_size=20)
)
KINDS = st.sampled_from(["Schedule", "LoadPreset", "SavePreset", "Fit", "Apply", "Cosine", "Curve"])
INPUTS = st.sampled_from(["steps", "denoise", "mode", "curve", "settings", "name", "preset", "offset", "max_beta"])


@given(KINDS, st.dictionaries(INPUTS, VALUES), st.dictionaries(INPUTS, VALUES))
def test_any_values_give_a_curve_or_a_sentence(kind, values, run):
    answer = answer_of(
        {"node": node(f"Sigmasmith{kind}", **values), "preset": [LOADER], "run": node("KSampler", **run)}
    )
    assert answer.keys() == {"problem"} or drawn(answer)[-1] == 0.0


def test_a_fit_without_a_name_is_known_by_its_model_and_sampler():
    fit = {"node": node("SigmasmithFit", name="", sampler_name="dpmpp_2m", denoise=1.0), "model": [CHECKPOINT]}
    assert "under the name sd, dpmpp_2m yet" in answer_of(fit)["problem"]
    saved = Host({"sd, dpmpp_2m": MINE}, SD15)
    assert answer_of(fit, saved)["summary"].startswith("Fitted for 5, 8, 10 steps")
    apply = {"node": node("SigmasmithApply"), "model": [CHECKPOINT], "preset": [fit["node"]]}
    assert answer_of(apply, saved)["summary"].startswith("Fitted for 5, 8, 10 steps")
    assert answer_of({"node": fit["node"]})["problem"] == "Nothing is fitted yet. Queue it once."
