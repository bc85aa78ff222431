"""What the hooks leave for the scheduler entries."""

from __future__ import annotations

import gc
from copy import copy

import torch
from sigmasmith.webui import state
from sigmasmith.webui.state import Fitted, Generation, PanelChoice, SamplingPass


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


class Drawn(Processing):
    """A processing object whose seeds are drawn, as they are between two images of a batch."""

    def __init__(self) -> None:
        self.all_seeds: list[int] | None = [1, 2]


def with_images(choice: PanelChoice, p: object, task: str | None = None) -> Generation:
    generation = state.begin(choice, p, task)
    generation.decoded = True
    return generation


def test_a_detailers_generation_is_inside_the_one_whose_images_it_changes_and_gives_way_to_it_again():
    p, face = Drawn(), Drawn()
    outer = with_images(PanelChoice("mine"), p, "task(a)")
    inner = state.begin(PanelChoice("mine"), face, "task(a)")
    assert inner.outer is outer
    state.end(inner)
    assert state.latest() is outer
    state.end(outer)
    assert state.of_task("task(a)") is outer
    assert state.latest() is None


def test_a_detailer_that_leaves_our_hooks_out_uses_the_preset_of_the_image():
    p, face = Drawn(), Drawn()
    outer = with_images(PanelChoice("mine"), p)
    state.begin_without_hooks(p)  # the host's callback of the image itself, and of its next batch
    assert state.latest() is outer
    state.begin_without_hooks(face)
    inner = state.generation_of(face)
    assert inner is not None
    assert (inner.hooked, inner.choice.preset) == (False, "mine")
    inner.current = SamplingPass("sigmasmith_optimal", "Euler")
    assert state.generation_of(p) is outer  # the face is done
    assert state.current_pass() is None


def test_a_generation_without_our_hooks_and_without_one_around_it_asks_for_the_matching_preset():
    p = Drawn()
    state.begin_without_hooks(p)
    generation = state.generation_of(p)
    assert generation is not None
    assert generation.choice == PanelChoice()


def test_a_copy_of_the_generation_under_way_is_no_new_one_and_a_cell_of_a_grid_is():
    p = Drawn()
    with_images(PanelChoice(), p)
    again = copy(p)
    assert state.is_continued(again)
    assert not state.is_continued(p)
    state.begin_without_hooks(Drawn())
    assert state.is_continued(again)
    cell = copy(p)
    cell.all_seeds = None  # what the host draws them into afterwards
    assert not state.is_continued(cell)
    assert not state.is_continued(Processing())


def test_a_generation_of_another_click_is_never_inside_one_that_ended_in_an_error():
    p, other = Drawn(), Drawn()
    with_images(PanelChoice(), p, "task(a)")
    assert state.begin(PanelChoice(), other, "task(b)").outer is None
    assert state.generation_of(p) is None


def test_what_a_batch_of_faces_has_to_say_stands_once_below_the_image(caplog):
    p, faces = Commented(), [Drawn(), Drawn()]
    with_images(PanelChoice(), p)
    with caplog.at_level("INFO", logger="sigmasmith"):
        for face in faces:
            state.begin_without_hooks(face)
            inner = state.generation_of(face)
            assert inner is not None
            inner.say_once("another checkpoint", warning=True)
            assert state.generation_of(p) is not None
    assert caplog.messages == ["Sigmasmith: another checkpoint"]
    assert p.comments == ["Sigmasmith: another checkpoint"]
