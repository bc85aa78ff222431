"""Schedules frozen from a pilot run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.adaptive.equidistribution import frozen_sigmas, order_of, step_density
from sigmasmith.schedules.adaptive.pilot import Pilot
from sigmasmith.schedules.adaptive.step_variable import StepVariable
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import ENDS, mixture, run, start
from .test_pilot import pilot_of

RANGES = {flow: SigmaRange(low, high, flow) for flow, (high, low) in ENDS.items()}


@pytest.fixture(scope="module")
def pilots():
    return {flow: pilot_of(mixture(flow), flow) for flow in RANGES}


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 3), st.booleans())
def test_every_count_keeps_the_contract_of_a_sigma_list(pilots, steps, order, flow):
    sigmas = check_sigmas(frozen_sigmas(pilots[flow], order, steps, RANGES[flow]))
    assert len(sigmas) == steps + 1
    assert float(sigmas[0]) == pytest.approx(RANGES[flow].sigma_max)
    assert float(sigmas[-2]) >= RANGES[flow].sigma_min * (1.0 - 1e-6)
    if steps > 25:
        assert float(sigmas[-2]) == pytest.approx(RANGES[flow].sigma_min, rel=1e-5)


def made_up(rates_of_t, order):
    """A pilot whose derivative of one order is a given function of t, on a model where t = -log sigma."""
    variable = StepVariable(True)
    times = np.linspace(float(variable.at(1.0)), float(variable.at(0.02)), 60)
    return Pilot(variable, torch.zeros(61), {order: times}, {order: rates_of_t(times)[:, None]}, torch.zeros(1, 1))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_local_error_of_the_order_is_the_same_in_every_step(order):
    pilot = made_up(lambda t: np.exp(np.sin(1.5 * t)), order)
    variable, grid = pilot.variable, np.linspace(pilot.times[order][0], pilot.times[order][-1], 2000)
    density = step_density(pilot, order, grid)
    errors = np.exp(np.sin(1.5 * grid)) * variable.share(grid) / density ** (order + 1)
    inner = errors[100:-100]
    assert inner.max() / inner.min() < 1.1


def test_a_flat_error_gives_even_steps_in_t_apart_from_the_share():
    sigmas = frozen_sigmas(made_up(lambda t: 1.0 / StepVariable(True).share(t), 1), 1, 30, RANGES[True])
    steps = np.diff(StepVariable(True).at(sigmas[:-1].double().numpy()))
    assert steps.max() / steps.min() < 1.02


def test_no_stretch_is_left_empty():
    density = step_density(made_up(lambda t: np.where(t > 0.0, 1e-9, 1.0), 1), 1, np.linspace(-3.0, 3.0, 100))
    assert density.min() >= 0.15


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.slow
def test_it_beats_even_steps_in_sigma_and_in_its_logarithm_on_noises_it_has_not_seen(pilots, flow):
    model, x = mixture(flow), start(flow, rows=6, seed=11)
    exact, _ = run(model, flow, x=x, calls=400)
    high, low = ENDS[flow]
    even = {"sigma": torch.linspace(high, low, 12), "log": torch.logspace(np.log10(high), np.log10(low), 12)}

    def error(sigmas):
        return float((own_sampler("dpmpp_2m")(model, x, sigmas) - exact).norm())

    ours = error(frozen_sigmas(pilots[flow], 2, 12, RANGES[flow]))
    theirs = {name: error(torch.cat([grid, torch.zeros(1)])) for name, grid in even.items()}
    assert ours < min(theirs.values()), (ours, theirs)


def test_samplers_have_the_order_that_their_error_shows():
    assert [order_of(name) for name in ("euler", "ddim", "dpmpp_2m", "heun", "res_multistep", "deis")] == [
        1,
        1,
        2,
        2,
        2,
        3,
    ]
    assert order_of("a_new_one") == 2


def test_an_order_that_was_not_measured_is_named(pilots):
    with pytest.raises(ValueError, match="order"):
        frozen_sigmas(pilots[False], 4, 10, RANGES[False])
    with pytest.raises(ValueError, match="steps"):
        frozen_sigmas(pilots[False], 2, 0, RANGES[False])
