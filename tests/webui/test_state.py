"""What the hooks leave for the scheduler entries."""

from __future__ import annotations

import gc

import torch
from sigmasmith.webui import state
from sigmasmith.webui.state import PanelChoice, SamplingPass


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


def test_messages_stay_readable_after_the_end():
    p = Processing()
    generation = state.begin(PanelChoice(), p)
    generation.said.append("hello")
    generation.fitted = "mine"
    state.end(generation)
    assert state.last_messages() == ("hello",)
    assert state.last_fitted() == "mine"
    assert state.generation_of(p) is None


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
    assert generation.said == ["no preset matches", "8 steps"]
    assert caplog.messages == ["Sigmasmith: no preset matches", "Sigmasmith: 8 steps"]
    assert p.comments == ["Sigmasmith: no preset matches"]
