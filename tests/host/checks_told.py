"""Words for the page: to whoever queued and to nobody else, in phases, with percent, and what an interrupt leaves.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import comfy.model_management
from loaded_pack import fit_inputs, guider_of, latent, model_of, part, raises

RACE = {"sampler_name": "sigmasmith_multistep", "effort": "quick"}
Sent = list[tuple[str, dict[str, Any], Any]]


@contextmanager
def page(client: str | None = "mine") -> Iterator[Sent]:
    """Events that a page's server is given while a prompt of this client runs."""
    messages, sent = part("nodes.host.messages"), []
    server = SimpleNamespace(client_id=client, last_prompt_id="prompt", send_sync=lambda *given: sent.append(given))
    inner, messages.server = messages.server, lambda: server
    try:
        yield sent
    finally:
        messages.server = inner


def fit(name: str, model: Any, **changed: Any) -> Any:
    fitting = part("nodes.fit.work")
    request = fitting.FitRequest(
        guider=guider_of(model), latent=latent(), node_id="7", **(fit_inputs(name=name) | changed)
    )
    return fitting.fit(request)


def lines(sent: Sent) -> list[str]:
    return [data["text"] for event, data, _ in sent if event == "sigmasmith.status"]


def test_every_event_goes_to_the_client_that_queued_and_none_without_one():
    with page("mine") as sent:
        fit("told_mine", model_of("eps"))
    assert sent
    assert {client for _, _, client in sent} == {"mine"}
    assert {data["node"] for _, data, _ in sent} == {"7"}
    with page(None) as sent:
        fit("told_nobody", model_of("eps"))
    assert sent == []


def test_sizes_and_lists_make_no_notice():
    with page() as sent:
        fit("told_quiet", model_of("eps"))
    notices = [data["text"] for event, data, _ in sent if event == "sigmasmith.message" and not data["quiet"]]
    assert len(notices) == 1, notices
    assert notices[0].startswith("The fit takes about")


def every_line() -> Any:
    """A clock for the lines of progress that lets every one of them through."""
    return SimpleNamespace(due=lambda: True, restart=lambda: None)


def test_a_fit_says_its_phases_and_percent_and_time_that_never_rises():
    progress = part("nodes.host.progress")
    inner, progress.Throttle = progress.Throttle, lambda _: every_line()
    try:
        with page() as sent:
            fit("told_phases", model_of("flow"), **RACE)
    finally:
        progress.Throttle = inner
    told = [re.fullmatch(r"(.+): (\d+) % done, (\d+) (seconds?|minutes) more at most", text) for text in lines(sent)]
    found = [match for match in told if match]
    assert len(found) > 50
    phases = list(dict.fromkeys(match[1] for match in found))
    assert phases == [
        "self-test",
        "reference",
        "5 steps: scale and stretch",
        "held-out check",
        "before and after",
    ], phases
    percents = [int(match[2]) for match in found]
    assert percents == sorted(percents)
    seconds = [int(match[3]) * (60 if match[4] == "minutes" else 1) for match in found]
    assert seconds == sorted(seconds, reverse=True)
    assert not any("went on" in text for text in lines(sent))


def test_an_interrupted_fit_says_that_it_is_kept_and_the_next_one_where_it_went_on():
    progress = part("nodes.host.progress")
    inner, progress.Throttle = progress.Throttle, lambda _: every_line()
    model = model_of("eps")
    network = model.model.diffusion_model
    forward, network.calls = network.forward, 0

    def pressed(*given: Any, **kwargs: Any) -> Any:
        if network.calls == 100:
            comfy.model_management.interrupt_current_processing(True)
        return forward(*given, **kwargs)

    try:
        network.forward = pressed
        with page() as sent:
            raises(comfy.model_management.InterruptProcessingException, fit, "told_resumed", model, **RACE)
        kept = r"Interrupted at (\d+) %: kept, and goes on from there when queued again\."
        stopped = re.fullmatch(kept, lines(sent)[-1])
        assert stopped, lines(sent)[-1]
        last = [data for event, data, _ in sent if event == "sigmasmith.status"][-1]
        assert last["kept"] is True  # for the button that lets it go on
        assert abs(100.0 * last["done"] - int(stopped[1])) <= 1.0, last
        network.forward = forward
        with page() as sent:
            fit("told_resumed", model, **RACE)
    finally:
        progress.Throttle = inner
    resumed = [match for text in lines(sent) if (match := re.search(r"\(went on at (\d+) %\)", text))]
    assert resumed, lines(sent)
    assert abs(int(resumed[0][1]) - int(stopped[1])) <= 5, (resumed[0][1], stopped[1])
