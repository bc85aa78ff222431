"""Our entries in a WebUI's lists, without a WebUI."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from sigmasmith.webui import samplers
from sigmasmith.webui.registration import (
    FIT_SAMPLER,
    LABELS,
    SamplerEntry,
    clear_caches,
    label_of,
    register_samplers,
    register_schedulers,
    scheduler_name,
    taken_apart,
)


@dataclass
class Scheduler:
    """With the field that one fork has put in the middle."""

    name: str
    label: str
    function: Any
    default_rho: float = -1
    need_inner_model: bool = False
    need_width_height: bool = False
    aliases: Any = None


class SamplerData(NamedTuple):
    name: str
    constructor: Any
    aliases: list[str]
    options: dict[str, Any]


def scheduler_module() -> SimpleNamespace:
    entries = [Scheduler("karras", "Karras", None), Scheduler("sgm_uniform", "SGM Uniform", None, aliases=["SGMU"])]
    return SimpleNamespace(Scheduler=Scheduler, schedulers=entries, schedulers_map={"karras": entries[0]})


def sampler_module() -> SimpleNamespace:
    module = SimpleNamespace(all_samplers=[], all_samplers_map={}, sets=0)

    def set_samplers() -> None:
        module.sets += 1

    module.set_samplers = set_samplers
    return module


def functions(answer: Any = None) -> dict[str, Any]:
    return {name: lambda **_: answer for name in LABELS}


def test_entries_are_appended_in_place_under_both_keys():
    module = scheduler_module()
    held = module.schedulers
    register_schedulers(module, functions())
    assert module.schedulers is held
    assert [entry.label for entry in held] == ["Karras", "SGM Uniform", *LABELS.values()]
    for name, label in LABELS.items():
        assert module.schedulers_map[name] is module.schedulers_map[label]
        assert module.schedulers_map[name].need_inner_model is True
        assert module.schedulers_map[name].aliases is None


def test_a_reload_replaces_and_never_duplicates():
    module = scheduler_module()
    register_schedulers(module, functions("old"))
    # Another extension has put itself behind us and rebuilt the map from the list.
    module.schedulers.append(Scheduler("theirs", "Theirs", None))
    module.schedulers_map = {entry.name: entry for entry in module.schedulers}
    register_schedulers(module, functions("new"))
    assert [entry.name for entry in module.schedulers] == ["karras", "sgm_uniform", *LABELS, "theirs"]
    for name, label in LABELS.items():
        assert module.schedulers_map[name].function() == module.schedulers_map[label].function() == "new"


def test_a_scheduler_is_called_by_its_label_whichever_of_its_names_is_given():
    module = scheduler_module()
    register_schedulers(module, functions())
    asked = ["karras", "sigmasmith_optimal", "Sigmasmith Optimal", "of a newer host"]
    assert [label_of(module, chosen) for chosen in asked] == ["Karras", *["Sigmasmith Optimal"] * 2, "of a newer host"]


def test_samplers_are_listed_and_the_fit_is_only_resolvable():
    module = sampler_module()
    entries = [
        SamplerEntry("Sigmasmith Test", cast(Any, lambda *_: "run"), {"second_order": True}),
        SamplerEntry(FIT_SAMPLER, cast(Any, lambda *_: "fit"), {}, hidden=True),
    ]
    for _ in range(2):
        register_samplers(module, entries, SamplerData, lambda function, model: (function(), model))
    assert [data.name for data in module.all_samplers] == ["Sigmasmith Test"]
    assert set(module.all_samplers_map) == {"Sigmasmith Test", FIT_SAMPLER}
    assert module.all_samplers_map["Sigmasmith Test"].constructor("m") == ("run", "m")
    assert module.all_samplers_map[FIT_SAMPLER].constructor("m") == ("fit", "m")
    assert module.all_samplers[0].options == {"second_order": True}
    assert module.sets == 2


def test_cached_answers_from_before_are_forgotten():
    calls = []

    @functools.cache
    def get_sampler_and_scheduler(name):
        calls.append(name)

    module = SimpleNamespace(get_sampler_and_scheduler=get_sampler_and_scheduler)
    get_sampler_and_scheduler("a")
    clear_caches(module, SimpleNamespace())
    get_sampler_and_scheduler("a")
    assert calls == ["a", "a"]


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("Euler a Karras", "Karras"),
        ("Mine sgm uniform", "sgm uniform"),
        ("Mine SGMU", "SGMU"),
        ("Karras", None),
        ("SuperKarras", None),
    ],
)
def test_a_name_that_hosts_would_take_apart_is_found(label, word):
    found = taken_apart(label, scheduler_module().schedulers)
    assert found is None if word is None else found is not None and found.lower() == word.lower()


def test_none_of_our_names_is_taken_apart_at_any_of_our_words():
    module = scheduler_module()
    register_schedulers(module, functions())
    for entry in samplers.OWN_SAMPLERS:
        assert taken_apart(entry.label, module.schedulers) is None
    assert taken_apart(FIT_SAMPLER, module.schedulers) is None


def test_names_and_labels_are_recognised_and_nobody_elses():
    for name, label in LABELS.items():
        assert scheduler_name(name) == scheduler_name(label) == name
    assert scheduler_name("Karras") is scheduler_name(None) is None
