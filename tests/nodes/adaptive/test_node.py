"""Our names in the sampler dropdown, without a host; the scheduler entry of adaptive presets."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from sigmasmith.nodes import registration, sampler_names
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset


def test_names_are_appended_once_and_nothing_of_the_hosts_is_replaced():
    def theirs() -> None:
        """Another pack's sampler under one of our names."""

    functions = SimpleNamespace(sample_euler=theirs)
    names, dropdown = ["euler"], ["euler", "uni_pc"]
    for _ in range(2):
        sampler_names.register_samplers(functions, [names, dropdown])
    ours = list(sampler_names.SAMPLERS)
    assert names == ["euler", *ours]
    assert dropdown == ["euler", "uni_pc", *ours]
    assert functions.sample_euler is theirs
    other = SimpleNamespace(**{f"sample_{ours[0]}": theirs})
    sampler_names.register_samplers(other, [names])
    assert getattr(other, f"sample_{ours[0]}") is theirs


def test_a_dropdown_sampler_has_the_name_and_the_signature_that_hosts_look_for():
    for name in sampler_names.SAMPLERS:
        assert name.startswith("sigmasmith_")
        assert sampler_names.dropdown_sampler(name).__name__ == f"sample_{name}"


def test_the_code_of_a_sampler_is_loaded_when_it_runs(monkeypatch):
    loaded = []

    def load():
        loaded.append("code")
        return lambda model, x, sigmas, **given: (model, x, sigmas, given)

    monkeypatch.setitem(sampler_names.SAMPLERS, "sigmasmith_test", load)
    sample = sampler_names.dropdown_sampler("sigmasmith_test")
    assert loaded == []
    model, x, sigmas, given = sample("m", "x", "s", {"seed": 1}, None, True)
    assert loaded == ["code"]
    assert (model, x, sigmas) == ("m", "x", "s")
    assert given == {"extra_args": {"seed": 1}, "callback": None, "disable": True}


@pytest.mark.parametrize("steps", [4, 10, 23])
def test_the_adaptive_scheduler_entry_serves_the_preset_on_the_model(steps):
    preset = Preset(
        schedules={count: CURVES["karras"](count, 0.03, 14.6) for count in (5, 10, 20)},
        sampler="dpmpp_2m",
        model=ModelIdentity(sigma_min=0.03, sigma_max=14.6, flow=False),
    )
    sampling = SimpleNamespace(sigma_min=0.03, sigma_max=14.6, sigmasmith_preset=preset)
    answers = {
        name: registration.scheduled(name, sampling, steps, drops_penultimate=lambda _: False, is_flow=lambda _: False)
        for name in (registration.ADAPTIVE, registration.OPTIMAL)
    }
    assert torch.equal(answers[registration.ADAPTIVE][1:], preset.sigmas(steps)[1:])
    assert torch.equal(answers[registration.ADAPTIVE], answers[registration.OPTIMAL])
    assert float(answers[registration.ADAPTIVE][0]) == pytest.approx(14.6)
