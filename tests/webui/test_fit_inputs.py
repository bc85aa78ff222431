"""The panel's inputs for a fit."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.presets.names import check_name
from sigmasmith.webui.fit_inputs import FitInputs, cost_in_words, costs_in_words, default_name, fit_inputs
from sigmasmith.webui.panel import inputs
from sigmasmith.webui.samplers import MULTISTEP
from sigmasmith.webui.state import CODE, MATCH
from sigmasmith.webui.tickets import new_ticket


def request(**changed):
    given = {"sampler": "Euler", "steps": "5, 8", "noises": 4, "effort": "fast", "minutes": 0, "name": " a "}
    return fit_inputs(**(given | {"replace": False} | changed))


def test_inputs_become_a_request():
    found = request(minutes=2.5)
    assert found.steps == (5, 8)
    assert found.minutes == 2.5
    assert found.name == "a"
    assert request().minutes is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"steps": "ten"}, "steps"),
        ({"noises": 3}, "Noises"),
        ({"noises": 4.5}, "Noises"),
        ({"noises": None}, "Noises"),
        ({"minutes": -1}, "Minutes"),
        ({"minutes": "x"}, "Minutes"),
        ({"effort": "huge"}, "effort"),
    ],
)
def test_a_bad_input_is_named(changed, named):
    with pytest.raises(ValueError, match=named):
        request(**changed)


def test_the_cost_is_known_before_and_grows_with_the_noises():
    assert "images of 20 steps" in cost_in_words(request())
    assert request(effort="balanced").evaluations > request().evaluations


@pytest.mark.parametrize("checkpoint", ["cat.safetensors", "a: b*?.ckpt", None, "...", "Ünïcode model v1.5.gguf"])
def test_the_default_name_is_one_that_every_system_allows(checkpoint):
    name = default_name(checkpoint, "dpmpp_2m")
    assert check_name(name) == name
    assert "dpmpp_2m" in name


def test_the_host_may_leave_out_arguments():
    found = inputs.read([])
    assert found.choice.preset == MATCH
    assert found.choice.mode == "steps"
    assert found.request("Euler") is None
    found = inputs.read([CODE, "sigmasmith1:x", inputs.NOISE_LEVEL, True, "7", 6])
    assert (found.choice.preset, found.choice.code, found.choice.mode) == (CODE, "sigmasmith1:x", "noise_level")
    asked = found.request("Euler")
    assert isinstance(asked, FitInputs)
    assert asked is not None
    assert (asked.sampler, asked.steps, asked.noises, asked.effort) == ("Euler", (7,), 13, "fast")


def test_the_ticket_of_a_click_makes_one_fit_and_true_one_each_time():
    clicked = [MATCH, "", inputs.HOST_SLICING, new_ticket(), "7", 6]
    assert inputs.read(clicked).request("Euler") is not None
    assert inputs.read(clicked).request("Euler") is None
    for _ in range(2):
        assert inputs.read([MATCH, "", inputs.HOST_SLICING, True]).request("Euler") is not None


def test_coefficients_cost_more_than_a_schedule():
    assert request(sampler=MULTISTEP).evaluations > request().evaluations


def test_a_quick_fit_has_a_number_of_noises_of_its_own():
    quick = fit_inputs("Sigmasmith Multistep", "5", 16, "quick", 0, "", False)
    assert quick.noises == 6
    assert quick.evaluations * quick.noises <= 100 + 70 * 5


def test_a_free_fit_of_coefficients_has_sixteen_noises_at_least():
    assert fit_inputs("Sigmasmith Multistep", "5", 4, "balanced", 0, "", False).noises == 16
    assert fit_inputs("Sigmasmith Multistep", "5", 32, "balanced", 0, "", False).noises == 32
    assert fit_inputs("DPM++ 2M", "5", 4, "balanced", 0, "", False).noises == 8


def test_the_cost_is_told_for_our_sampling_method_and_for_others_where_they_differ():
    ours, others, _ = costs_in_words("5", 4, "fast")
    assert ours.startswith("Sigmasmith Multistep: At most 113 model calls for each of 6 noises")
    assert others.startswith("Other sampling methods: At most 60 model calls for each of 11 noises")
    assert len(costs_in_words("5", 4, "quick")) == 2
    with pytest.raises(ValueError, match="Noises"):
        costs_in_words("5", 2, "fast")


@pytest.mark.parametrize(
    ("sampler", "effort", "noises", "could"),
    [(MULTISTEP, "fast", 4, False), ("DPM++ 2M", "fast", 4, False), ("DPM++ 2M", "fast", 20, True)],
)
def test_fewer_noises_are_advised_only_where_the_fit_would_have_fewer(sampler, effort, noises, could):
    assert request(sampler=sampler, effort=effort, noises=noises).could_be_fewer == could
