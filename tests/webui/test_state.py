"""What the hooks leave for the scheduler entries."""

from __future__ import annotations

import gc

import torch
from sigmasmith.webui import state
from sigmasmith.webui.state import Fitted, PanelChoice, SamplingPass


class Processing:
    pass


def test_a_generation_is_found_by_its_own_processing_object_alone():
    p, other = Processing(), Processing()
    generation = state.begin(PanelChoice(), p)
    assert state.generation_of(p) is generation
    assert state.generation_of(other) is None


def test_a_new_generation_forgets_one_that_ended_in_an_error():
    first, second = Processing(), Processing()
    state.begin(PanelChoice(), first).current = SamplingPass("sigmasmith_optimal", "Euler")
    state.begin(PanelChoice(), second)
    assert state.current_pass() is None
    assert state.generation_of(first) is None


def test_a_generation_whose_host_object_is_gone_says_nothing():
    p = Processing()
    state.begin(PanelChoice(), p).current = SamplingPass("sigmasmith_optimal", "Euler")
    assert state.current_pass() is not None
    del p
    gc.collect()
    assert state.current_pass() is None


def test_what_a_generation_said_stays_known_to_the_page_that_asked_for_it():
    p, other = Processing(), Processing()
    generation = state.begin(PanelChoice(), p, "task(a)")
    generation.said.append("hello")
    generation.fitted = Fitted("mine", "Euler", (5,))
    state.end(generation)
    assert state.generation_of(p) is None
    state.end(state.begin(PanelChoice(), other, "task(b)"))
    found = state.of_task("task(a)")
    assert found is not None
    assert found.said == ["hello"]
    assert found.fitted == Fitted("mine", "Euler", (5,))
    assert state.of_task("task(c)") is None


def test_a_generation_that_broke_off_is_known_too_and_one_of_the_api_to_no_page():
    p = Processing()
    broken = state.begin(PanelChoice(), p, "task(broken)")
    assert state.of_task("task(broken)") is broken
    state.end(state.begin(PanelChoice(), p))
    assert state.of_task("") is None


def test_old_generations_are_forgotten_and_hold_no_memory():
    p = Processing()
    for number in range(100):
        state.end(state.begin(PanelChoice(), p, f"task({number})"))
    assert state.of_task("task(0)") is None
    assert state.of_task("task(99)") is not None


def test_a_click_on_fit_now_is_good_for_one_fit():
    ticket, other = state.new_ticket(), state.new_ticket()
    assert state.is_ticket(ticket)
    assert state.take_ticket(ticket)
    assert not state.take_ticket(ticket)
    assert state.take_ticket(other)
    assert not state.take_ticket("of a host that has been started anew")
    assert not state.is_ticket(True)


def test_a_sampler_that_leaves_out_given_levels_is_told_from_one_that_adds_some():
    given = torch.tensor([10.0, 5.0, 1.0, 0.0])
    seen = [torch.tensor([level]) for level in (10.0, 7.0, 5.0, 2.0, 1.0, 0.5)]
    assert not state.not_followed(given, seen)
    assert state.not_followed(given, seen[:4])
    assert not state.not_followed(given, [])


class Commented:
    """A processing object of the host, which shows comments below the images."""

    def __init__(self) -> None:
        self.comments: list[str] = []

    def comment(self, text: str) -> None:
        self.comments.append(text)


def test_a_sentence_is_said_once_and_a_warning_stands_below_the_images(caplog):
    p = Commented()
    generation = state.begin(PanelChoice(), p)
    with caplog.at_level("INFO", logger="sigmasmith"):
        for _ in range(2):
            generation.say_once("no preset matches", warning=True)
            generation.say_once("8 steps", warning=False)
    assert generation.said == []  # the panel said before the run what will run
    assert caplog.messages == ["Sigmasmith: no preset matches", "Sigmasmith: 8 steps"]
    assert p.comments == ["Sigmasmith: no preset matches"]
