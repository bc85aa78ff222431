"""The panel's inputs for a comparison."""

from __future__ import annotations

import pytest
from sigmasmith.webui.compare_inputs import CompareInputs, compare_inputs
from sigmasmith.webui.fit_inputs import FitInputs
from sigmasmith.webui.panel import inputs
from sigmasmith.webui.state import MATCH
from sigmasmith.webui.tickets import COMPARISON, FIT, new_ticket

OPTIONS = [0, 0.0, "Euler a", "1", 1.0]
FIT_FIELDS = ["5", 4, "fast", 0, "", False]


def test_the_samplers_begin_with_the_pages_and_repeats_are_left_out():
    asked = compare_inputs("Euler", ["DPM++ 2M", "Euler"], ["Karras", "Beta", "Karras"], "6, 10", 4)
    assert asked == CompareInputs(("Euler", "DPM++ 2M"), ("Karras", "Beta"), (6, 10), 4)


def test_texts_with_commas_do_as_well_as_lists():
    assert compare_inputs("Euler", "", "Karras, Beta", 10, 2.0) == CompareInputs(
        ("Euler",), ("Karras", "Beta"), (10,), 2
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (([], [], "10", 4), "Schedule types"),
        (([], ["Karras"], "ten", 4), "steps"),
        (([], ["Karras"], "10", 1), "Seeds"),
        (([], ["Karras"], "10", 2.5), "Seeds"),
        (([], [f"schedule {number}" for number in range(65)], "10", 4), "at most 64 runs"),
    ],
)
def test_a_wrong_input_is_named(given, named):
    with pytest.raises(ValueError, match=named):
        compare_inputs("Euler", *given)


def test_the_later_inputs_stand_behind_the_options_of_our_samplers():
    args = [MATCH, "", inputs.HOST_SLICING, COMPARISON, *FIT_FIELDS, *OPTIONS, ["DPM++ 2M"], ["Karras"], "4", 3]
    assert inputs.read(args).request("Euler") == CompareInputs(("Euler", "DPM++ 2M"), ("Karras",), (4,), 3)
    further = inputs.read([*args[:3], True, *args[4:], "a dog\n\na house", True, "interval 0 to 1"])
    fit = further.request("Euler")
    assert isinstance(fit, FitInputs)
    assert (fit.prompts, fit.choose) == (("a dog", "a house"), True)
    assert further.choice.guidance == "interval 0 to 1"


def test_the_ticket_of_a_click_says_which_job_is_asked_for():
    for job, compares in ((COMPARISON, True), (FIT, False)):
        args = [MATCH, "", inputs.HOST_SLICING, new_ticket(job)]
        assert isinstance(inputs.read(args).request("Euler"), CompareInputs) == compares
        assert inputs.read(args).request("Euler") is None
    assert inputs.read([MATCH, "", inputs.HOST_SLICING, "something else"]).request("Euler") is None


def test_more_prompts_than_noises_are_refused():
    prompts = "\n".join("abcdefghijklmnop")
    args = [MATCH, "", inputs.HOST_SLICING, True, *FIT_FIELDS, *OPTIONS, [], ["Karras"], "4", 3, prompts]
    with pytest.raises(ValueError, match="Further prompts"):
        inputs.read(args).request("Euler")
