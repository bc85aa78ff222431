"""The dropdown entries, without a host."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from sigmasmith.nodes import registration
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.lists import preset_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.samplers.fitted import NAME


class Handler(NamedTuple):
    handler: Any
    use_ms: bool = True


class Sampling:
    def __init__(self, low: float = 0.0292, high: float = 14.6146, preset: Preset | None = None) -> None:
        self.sigma_min, self.sigma_max = low, high
        if preset is not None:
            self.sigmasmith_preset = preset


def preset_of(sampler: str = "euler", *counts: int) -> Preset:
    return Preset(
        schedules={count: CURVES["karras"](count, 0.0292, 14.6146) for count in counts or (10,)},
        sampler=sampler,
        model=ModelIdentity(sigma_min=0.0292, sigma_max=14.6146, flow=False),
    )


def registered(*lists: list[str]) -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    registration.register_schedulers(handlers, list(lists), Handler, lambda name: name == "dpm_2", lambda _: False)
    return handlers


def test_names_are_appended_once_to_every_list_and_nothing_else_changes():
    names, rebound = ["simple", "other"], ["other"]
    handlers = registered(names, rebound)
    registration.register_schedulers(handlers, [names, rebound], Handler, lambda _: False, lambda _: False)
    assert names == ["simple", "other", *registration.SCHEDULER_NAMES]
    assert rebound == ["other", *registration.SCHEDULER_NAMES]
    assert set(handlers) == set(registration.SCHEDULER_NAMES)


def test_a_name_that_another_pack_already_has_is_left_to_it():
    theirs = Handler(lambda *_: None)
    handlers = {registration.OPTIMAL: theirs}
    registration.register_schedulers(handlers, [[]], Handler, lambda _: False, lambda _: False)
    assert handlers[registration.OPTIMAL] is theirs


def test_the_preset_on_the_model_sampling_is_answered_and_the_first_sigma_is_the_models():
    preset = preset_of("euler", 5, 10)
    sampling = Sampling(high=14.615, preset=preset)
    for name in (registration.OPTIMAL, registration.ADAPTIVE):
        sigmas = registered([])[name].handler(sampling, 5)
        assert float(sigmas[0]) == pytest.approx(14.615, abs=0.0, rel=1e-7)
        assert torch.equal(sigmas[1:], preset.sigmas(5)[1:])
    assert float(preset.sigmas(5)[0]) == pytest.approx(14.6146)


def test_a_preset_of_another_range_keeps_its_own_first_sigma():
    sigmas, _ = preset_sigmas(preset_of(), 10, 80.0)
    assert float(sigmas[0]) == pytest.approx(14.6146)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_for_a_sampler_that_drops_the_penultimate_sigma_its_own_schedule_is_left(steps):
    preset = preset_of("dpm_2")
    asked = registered([])[registration.OPTIMAL].handler(Sampling(preset=preset), steps + 1)
    assert len(asked) == steps + 2
    assert (asked[1:] < asked[:-1]).all()
    assert torch.equal(torch.cat([asked[:-2], asked[-1:]])[1:], preset.sigmas(steps)[1:])


def test_one_step_without_the_extra_one_still_runs():
    assert len(preset_sigmas(preset_of("dpm_2"), 1, 14.6146, True)[0]) == 2


def test_without_a_preset_the_family_answers_and_says_so(caplog):
    caplog.set_level("INFO")
    sampling = Sampling()
    sigmas = registered([])[registration.OPTIMAL].handler(sampling, 8)
    assert torch.equal(sigmas, family_schedule(8, sigma_min=0.0292, sigma_max=14.6146, flow=False).sigmas)
    assert "runs the family's 8 steps" in caplog.text
    caplog.clear()
    cosine = registered([])[registration.COSINE].handler(sampling, 8)
    assert torch.equal(cosine, CURVES["cosine"](8, 0.0292, 14.6146))
    assert caplog.text == ""


def test_a_run_is_recognised_by_any_unbroken_part_of_what_was_handed_out():
    sigmas = registration.remember(preset_of("euler", 9).sigmas(9) * 1.01)
    assert registration.was_handed_out(sigmas)
    assert registration.was_handed_out(sigmas[4:])
    assert registration.was_handed_out(sigmas[:5])
    ended = sigmas[:5].clone()
    ended[-1] = 0.0  # KSamplerAdvanced without leftover noise
    assert registration.was_handed_out(ended)
    assert not registration.was_handed_out(sigmas[::2])
    assert not registration.was_handed_out(sigmas * 1.001)


def test_a_list_is_known_after_many_others_and_when_it_is_flipped():
    sigmas = registration.remember(preset_of("euler", 7).sigmas(7))
    for number in range(600):
        registration.remember(torch.linspace(9.0 + number, 0.0, 21))
    assert registration.was_handed_out(sigmas)
    flipped = sigmas.flip(0)
    flipped[0] = 1e-4
    assert registration.was_handed_out(flipped)
    assert registration.was_handed_out(sigmas[2:-1].flip(0))
    other = flipped.clone()
    other[3] *= 1.01
    assert not registration.was_handed_out(other)


@pytest.mark.parametrize("name", registration.SCHEDULER_NAMES)
@pytest.mark.parametrize(
    ("steps", "high"),
    [(150, 14.6146), (15_000, 14.6146), pytest.param(1_000_000, 4518.2, marks=pytest.mark.slow), (9, 14.6146)],
)
def test_every_length_that_a_host_can_ask_for_is_answered(name, steps, high):
    sigmas = registered([])[name].handler(Sampling(high=high), steps)
    assert len(sigmas) == steps + 1
    assert bool((sigmas[1:] < sigmas[:-1]).all())


@pytest.mark.parametrize("name", registration.SCHEDULER_NAMES)
@pytest.mark.parametrize("high", [1.0000001192092896, 1.0])
def test_a_flow_table_that_ends_a_rounding_above_one_is_answered_from_its_own_end(name, high):
    handlers: dict[str, Handler] = {}
    registration.register_schedulers(handlers, [[]], Handler, lambda _: False, lambda _: True)
    for preset in (None, flow_preset()):
        sigmas = handlers[name].handler(Sampling(0.0018, high, preset), 8)
        assert float(sigmas[0]) == high
        assert bool((sigmas[1:] < sigmas[:-1]).all())


def flow_preset() -> Preset:
    return Preset(
        schedules={8: CURVES["karras"](8, 0.0018, 1.0, flow=True)},
        sampler="euler",
        model=ModelIdentity(sigma_min=0.0018, sigma_max=1.0000001192092896, flow=True),
    )


def optimal(flow: bool, sampler: str, texts: list[str]) -> torch.Tensor:
    """Eight steps of sigmasmith_optimal without a preset, run by a sampler; "" for one that the host does not tell."""
    return registration.scheduled(
        registration.OPTIMAL,
        Sampling(0.001, 1.0) if flow else Sampling(0.0292, 14.6146),
        8,
        drops_penultimate=lambda _: False,
        is_flow=lambda _: flow,
        tell=lambda text, _: texts.append(text),
        runs=lambda: sampler,
    )


@pytest.mark.parametrize(("flow", "sampler", "said"), [(True, "", True), (True, NAME, False), (False, "", False)])
def test_on_flow_models_it_is_said_that_a_sampler_of_which_nothing_is_known_may_not_be_served(flow, sampler, said):
    texts: list[str] = []
    optimal(flow, sampler, texts)
    assert any("do better on simple" in text for text in texts) == said


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler", "res_2m_of_another_pack"])
def test_a_sampler_that_the_family_of_flow_models_does_not_serve_runs_simple_and_it_is_said(sampler):
    texts: list[str] = []
    sigmas = optimal(True, sampler, texts)
    # The host takes each from its table of 1,000 timesteps.
    simple = host_schedules(SigmaRange(0.001, 1.0, flow=True))["simple"](8)
    assert torch.allclose(sigmas, simple, atol=1e-3)
    assert f"8 steps of simple with {sampler}" in texts[0]
    assert "sigmasmith_multistep" in texts[0]


def test_on_noise_prediction_and_for_its_own_sampler_the_list_is_the_familys():
    ve = family_schedule(8, sigma_min=0.0292, sigma_max=14.6146).sigmas
    assert torch.equal(optimal(False, "dpmpp_2m", []), ve)
    flow = family_schedule(8, sigma_min=0.001, sigma_max=1.0, flow=True).sigmas
    assert torch.equal(optimal(True, NAME, []), flow)
    assert torch.equal(optimal(True, "", []), flow)
