"""Which code runs, and what is said where none can."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.control import Churn, Control, Restart
from sigmasmith.schedules.variance.controlled import RunNoise
from sigmasmith.schedules.variance.eta_curves import constant, parse_curve
from sigmasmith.schedules.variance.noise import NoiseSource
from sigmasmith.schedules.variance.readout import NoiseLog
from sigmasmith.schedules.variance.routes import HostSampler, choose_route
from sigmasmith.schedules.variance.running import run_route
from sigmasmith.schedules.variance.steppers import NoisyStepper, OdeStepper, SdeStepper

VARYING = Control(eta=parse_curve("cosine 1 to 0", "eta"))
RESTARTS = Control(restarts=(Restart(0.3, 1.0),))


def stochastic(
    model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler=None
):
    return x


def deterministic(model, x, sigmas, extra_args=None, callback=None, disable=None, s_churn=0.0, s_noise=1.0):
    return x


def host(name: str, function: Any = stochastic, **options: Any) -> HostSampler:
    return HostSampler(name, function, options)


def route(sampler: HostSampler, control: Control, flow: bool = False, own_source: bool = False):
    return choose_route(sampler, control, flow=flow, own_source=own_source)


def test_one_eta_and_any_factor_of_the_noise_run_at_once_in_the_hosts_function():
    for control in (Control(), Control(eta=constant(0.5)), Control(s_noise=parse_curve("linear 1 to 0", "s_noise"))):
        for name in ("euler_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde", "res_multistep_ancestral"):
            found = route(host(name), control)
            assert found.stepper is None
            assert found.wrapped_noise


def test_what_changes_from_step_to_step_runs_step_by_step_where_there_is_no_memory():
    for control in (VARYING, RESTARTS, Control(clamp=constant(0.5))):
        assert isinstance(route(host("euler_ancestral"), control).stepper, NoisyStepper)
        assert isinstance(route(host("euler", deterministic), control).stepper, OdeStepper)
        assert isinstance(route(host("dpmpp_2m", deterministic), control).stepper, SdeStepper)


def test_the_samplers_own_eta_stays_where_none_is_asked_for():
    assert route(host("euler_ancestral", eta=0.3), RESTARTS).eta == constant(0.3, "eta")
    assert route(host("euler_ancestral"), RESTARTS).eta == constant(1.0, "eta")
    assert route(host("euler", deterministic), RESTARTS).eta == constant(0.0, "eta")
    assert route(host("dpmpp_2m", deterministic), RESTARTS).eta == constant(0.0, "eta")


def test_eta_0_of_a_deterministic_sampler_is_the_sampler_untouched():
    found = route(host("deis", deterministic), Control(eta=constant(0.0)))
    assert found.stepper is None
    assert not found.keywords
    assert not found.wrapped_noise


def test_churn_is_the_hosts_on_ve_models_and_ours_on_flow_models_or_with_our_noise():
    churn = Control(eta=constant(0.0), churn=Churn(3.0, 8.0, 0.1))
    euler = host("euler", deterministic)
    assert route(euler, churn).keywords == {"s_churn": 3.0, "s_tmin": 0.1, "s_tmax": 8.0, "s_noise": 1.0}
    assert isinstance(route(euler, churn, flow=True).stepper, OdeStepper)
    assert isinstance(route(euler, churn, own_source=True).stepper, OdeStepper)


def test_the_posterior_of_a_flow_model_is_own_code_for_euler_ancestral_and_says_so():
    control = Control(posterior=0.5)
    assert route(host("euler_ancestral"), control).keywords == {"eta": 1.0}
    found = route(host("euler_ancestral"), control, flow=True)
    assert isinstance(found.stepper, OdeStepper)
    assert "Own DDIM" in found.how
    assert route(host("dpmpp_sde"), control, flow=True).stepper is None


@pytest.mark.parametrize(
    ("name", "function", "control", "flow", "words"),
    [
        ("deis", deterministic, VARYING, False, "^eta: the sampler deis cannot follow"),
        ("er_sde", stochastic, RESTARTS, False, "^restarts: the sampler er_sde"),
        ("lms", deterministic, Control(clamp=constant(1.0)), False, "^clamp: the sampler lms"),
        ("res_multistep", deterministic, Control(churn=Churn(1.0)), True, "^s_churn: the sampler res_multistep"),
        ("euler", deterministic, Control(posterior=1.0), False, "^posterior: the noise that euler"),
        ("seeds_2", stochastic, Control(posterior=1.0), False, "^posterior: the noise that seeds_2"),
        ("dpm_2_ancestral", stochastic, Control(posterior=1.0), True, "^posterior: .* on flow models"),
        ("dpm_2_ancestral", stochastic, Control(eta=constant(0.0)), True, "^eta: .* connect dpm_2"),
        ("euler", deterministic, Control(s_noise=constant(0.5)), False, "^s_noise: euler adds no noise"),
    ],
)
def test_what_a_sampler_cannot_follow_is_refused_by_the_inputs_name(name, function, control, flow, words):
    with pytest.raises(ValueError, match=words):
        route(host(name, function), control, flow)


def test_a_run_at_once_gets_its_options_and_a_noise_that_is_scaled_and_logged():
    given: dict[str, Any] = {}

    def sampler(
        model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0, s_noise=1.0, noise_sampler: Any = None
    ):
        given.update(eta=eta, s_noise=s_noise)
        for a, b in pairwise(sigmas[:-1]):
            x = x + noise_sampler(a, b)
        return x

    x, sigmas, log = torch.zeros(1, 4, 64, 64), CURVES["karras"](5, 0.03, 14.6), NoiseLog()
    rows = NoiseSource("white", (3,)).start(x, 0, flow=False)
    control = Control(eta=constant(0.5), s_noise=parse_curve("list 2 1 1 0.5", "s_noise", high=2.0))
    sampler_ = HostSampler("dpmpp_2m_sde", sampler, {"eta": 0.9, "s_noise": 1.1})
    found = route(sampler_, control)
    end = run_route(
        found, sampler_, control, RunNoise(rows, rows.fresh), lambda x, sigma: x, x, sigmas, flow=False, log=log
    )
    assert given == {"eta": 0.5, "s_noise": 1.1}
    assert [entry.factor for entry in log.steps] == [2.0, 1.0, 1.0, 0.5]
    assert float(end.std()) == pytest.approx((4.0 + 1.0 + 1.0 + 0.25) ** 0.5, rel=0.03)
    for entry, (a, b) in zip(log.steps, pairwise(sigmas.tolist())):
        assert (entry.sigma, entry.sigma_next, entry.eta) == (a, b, 0.5)
        assert entry.std == pytest.approx(1.1 * entry.factor * b * (1.0 - b / a) ** 0.5, rel=1e-6)


def test_a_sampler_of_another_pack_keeps_its_own_noise_unless_it_is_to_change():
    other = host("another_packs_sampler")
    assert not route(other, Control()).wrapped_noise
    assert route(other, Control(s_noise=constant(0.5))).wrapped_noise
    assert route(other, Control(), own_source=True).wrapped_noise
