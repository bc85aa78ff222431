"""The panel's inputs for a search over seeds."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.webui.panel import inputs
from sigmasmith.webui.seed_inputs import LESS, MORE, SeedInputs, seed_inputs
from sigmasmith.webui.state import MATCH
from sigmasmith.webui.tickets import SEEDS

FIT_FIELDS = ["5", 4, "fast", 0, "", False]
OPTIONS = [0, 0.0, "Euler a", "1", 1.0]
COMPARED = [[], ["Karras"], "4", 2]


def test_the_budget_says_how_many_seeds_are_drafted():
    asked = seed_inputs("Euler", "Karras", 20, "sharpness", MORE, 4, 4)
    assert (asked.rows, asked.budget.kept, asked.steps) == (15, 1, (20,))


def test_less_is_wanted_where_it_is_asked_for():
    bright, dark = torch.ones(1, 4, 4, 3), torch.zeros(1, 4, 4, 3)
    reward = seed_inputs("Euler", "Karras", 20, "brightness", LESS, 4, 4).reward
    assert float(reward.measure(dark)) > float(reward.measure(bright))


def test_they_stand_last_and_take_what_the_page_has():
    args = [MATCH, "", inputs.HOST_SLICING, SEEDS, *FIT_FIELDS, *OPTIONS, *COMPARED, "", False, "", "red", LESS, 3, 3]
    asked = inputs.read(args).request("Euler", "Karras", 6)
    assert isinstance(asked, SeedInputs)
    assert (asked.sampler, asked.scheduler, asked.rows, asked.reward.name) == ("Euler", "Karras", 4, "less red")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("taste", MORE, 4, 4), "measure"),
        (("red", "most", 4, 4), "Wanted"),
        (("red", MORE, "four", 4), "Budget"),
        (("red", MORE, 4, None), "Draft steps"),
        (("red", MORE, 4, 20), "draft_steps"),
        (("red", MORE, 1, 4), "the least that works"),
        (("red", MORE, 16, 1), "at most 64"),
    ],
)
def test_a_wrong_input_is_named(given, named):
    with pytest.raises(ValueError, match=named):
        seed_inputs("Euler", "Karras", 20, *given)
