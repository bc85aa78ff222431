"""Schedules of the family: every step count works, coefficients belong to the list, inputs are named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sigmasmith.schedules import family_schedule
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.family.schedule import MOST_STEPS
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.loop import sample_linear
from sigmasmith.schedules.samplers.parameters import coefficients_of, dpmpp_2m_parameters

SD: dict[str, Any] = {"sigma_min": 0.0292, "sigma_max": 14.6146}
RANGES: list[dict[str, Any]] = [
    SD,
    {"sigma_min": 0.002, "sigma_max": 80.0},
    {"sigma_min": 0.003, "sigma_max": 1.0, "flow": True},
]


def curved(x, sigma, **_):
    return torch.tanh(x / (1.0 + sigma.reshape(-1, *[1] * (x.ndim - 1)) ** 2))


def start(*shape):
    return 14.6146 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10, 19, 20, 21, 29, 30, 31, 100, 10_000])
def test_every_step_count_gives_a_list_from_sigma_max_to_0(steps, limits):
    schedule = family_schedule(steps, **limits)
    check_sigmas(schedule.sigmas)
    assert len(schedule.sigmas) == steps + 1
    assert float(schedule.sigmas[0]) == pytest.approx(limits["sigma_max"])
    assert (schedule.coefficients is not None) == (3 <= steps <= MOST_STEPS)


def test_more_steps_end_lower():
    ends = [float(family_schedule(steps, **SD).sigmas[-2]) for steps in (3, 5, 10, 20, 30, 100, 1000)]
    assert ends == sorted(ends, reverse=True)
    assert ends[-1] == pytest.approx(0.0292, rel=0.05)


@pytest.mark.parametrize("limits", RANGES)
def test_up_to_the_most_steps_coefficients_are_others_than_those_of_dpmpp_2m(limits):
    schedule = family_schedule(MOST_STEPS, scale=1.2, **limits)
    assert schedule.coefficients is not None
    plain = coefficients_of(dpmpp_2m_parameters(schedule.sigmas, 4), schedule.sigmas)
    assert not torch.allclose(schedule.coefficients, plain, atol=1e-3)


@pytest.mark.parametrize("steps", [31, 40, 50])
def test_beyond_them_lists_are_what_suits_dpmpp_2m_best(steps):
    sd, shifted = SigmaRange(**SD), SigmaRange(0.003 / 1.002, 1.0, flow=True)
    assert torch.equal(family_schedule(steps, **SD).sigmas, host_schedules(sd)["karras"](steps))
    assert family_schedule(steps, **SD).stock == "karras"
    flow = family_schedule(steps, sigma_min=shifted.sigma_min, sigma_max=1.0, flow=True)
    assert (flow.stock, flow.coefficients) == ("simple", None)
    assert torch.allclose(flow.sigmas, host_schedules(shifted)["simple"](steps), atol=2e-3)


@pytest.mark.parametrize("steps", [21, 25, MOST_STEPS])
def test_up_to_them_a_flow_model_of_which_nothing_is_known_runs_the_family_too(steps):
    schedule = family_schedule(steps, sigma_min=0.003 / 1.002, sigma_max=1.0, flow=True)
    assert schedule.stock == ""
    assert schedule.coefficients is not None
    assert schedule.coefficients.shape == (steps, 5)


def test_guidance_changes_coefficients_alone():
    plain, guided = family_schedule(6, **SD), family_schedule(6, guidance=4.0, **SD)
    assert torch.equal(plain.sigmas, guided.sigmas)
    assert plain.coefficients is not None
    assert guided.coefficients is not None
    assert not torch.equal(plain.coefficients, guided.coefficients)


def test_a_larger_scale_raises_every_level_but_the_first():
    low, high = family_schedule(6, scale=1.0, stretch=1.0, **SD), family_schedule(6, scale=2.0, stretch=1.0, **SD)
    assert bool((high.sigmas[1:-1] > low.sigmas[1:-1]).all())
    assert high.scale == pytest.approx(2.0, rel=0.01)


def test_the_sampler_function_runs_the_coefficients():
    schedule = family_schedule(6, **SD)
    x = start(2, 1, 4, 4)
    end = schedule.sampler_function()(curved, x, schedule.sigmas)
    assert schedule.coefficients is not None
    assert torch.equal(end, sample_linear(curved, x, schedule.sigmas, coefficients=schedule.coefficients))


def test_for_another_sampler_there_are_no_coefficients():
    schedule = family_schedule(6, sampler="euler", **SD)
    x = start(1, 1, 4, 4)
    assert schedule.coefficients is None
    end = schedule.sampler_function()(curved, x, schedule.sigmas)
    assert torch.equal(end, own_sampler("euler")(curved, x, schedule.sigmas))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"steps": 0}, "steps"),
        ({"sigma_min": -1.0}, "sigma_min"),
        ({"guidance": float("nan")}, "guidance"),
        ({"scale": 99.0}, "scale"),
        ({"stretch": 0.0}, "stretch"),
        ({"version": 99}, "version"),
        ({"sampler": "nonsense"}, "sampler"),
    ],
)
def test_what_cannot_be_is_named(changed, name):
    given = {"steps": 6, **SD} | changed
    with pytest.raises(ValueError, match=name):
        family_schedule(given.pop("steps"), **given)


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 30, 31])
def test_on_flow_models_a_host_sampler_has_simple_and_the_model_its_shift(steps):
    for sigma_min in (0.001, 0.003):
        known = family_schedule(steps, sigma_min=sigma_min, sigma_max=1.0, flow=True, sampler="dpmpp_2m")
        host = host_schedules(SigmaRange(sigma_min, 1.0, flow=True))["simple"](steps)
        assert torch.allclose(known.sigmas, host, atol=2e-3)
        assert (known.stock, known.served, known.coefficients) == ("simple", False, None)
    assert family_schedule(8, **SD, sampler="dpmpp_2m").served
