"""The samplers of fits without a host: order of convergence, weights, contract of the function."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler, sample_multistep
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES
from torch import Tensor

from ..fitting.fits import gaussian, mixture, normal, range_of

# gradient_estimation extrapolates twice as far as second order needs, ipndm takes unequal steps for equal ones (and its
# first steps are Euler's), so they are of first and second order; deis and lms start from short first steps here.
ORDERS = {
    "euler": 1,
    "ddim": 1,
    "dpmpp_2m": 2,
    "res_multistep": 2,
    "gradient_estimation": 1,
    "ipndm": 2,
    "deis": 3,
    "lms": 4,
    "heun": 2,
}
COUNTS = (100, 141, 200, 283)


def graded(steps: int, flow: bool) -> Tensor:
    """Levels from sigma_max to sigma_min whose first steps are short, so that the first-order start does not show."""
    low, high = range_of(flow).sigma_min, range_of(flow).sigma_max
    levels = high * (low / high) ** (np.linspace(0.0, 1.0, steps + 1) ** 2)
    levels[0], levels[-1] = high, low
    return torch.from_numpy(levels)


def slopes(errors: list[float], counts: tuple[int, ...]) -> tuple[float, float]:
    """Order of convergence: the fit through all of them, and the last pair's."""
    e, n = np.log(errors), np.log(counts)
    return -float(np.polyfit(n, e, 1)[0]), -float((e[-1] - e[-2]) / (n[-1] - n[-2]))


def errors_of(
    name: str, model: Callable[..., Tensor], x: Tensor, exact: Tensor, flow: bool, counts: tuple[int, ...] = COUNTS
) -> list[float]:
    ends = [own_sampler(name)(model, x, graded(count, flow)) for count in counts]
    return [float((end - exact).square().mean().sqrt()) for end in ends]


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", ORDERS)
def test_a_rule_converges_at_its_order_to_the_exact_gaussian_trajectory(name, flow):
    known, model = range_of(flow), gaussian(flow, 6)
    x = known.sigma_max * normal(4, 6).double()
    errors = errors_of(name, model, x, model.at(x, known.sigma_max, known.sigma_min), flow)
    fitted, last = slopes(errors, COUNTS)
    assert fitted == pytest.approx(ORDERS[name], abs=0.15)
    assert last == pytest.approx(ORDERS[name], abs=0.15)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", ["deis", "lms"])
@pytest.mark.slow
def test_rules_above_second_order_keep_it_on_a_mixture(name, flow):
    known, model = range_of(flow), random_mixture(3, power_law(6, 1.2), modes=4, flow=flow)
    x = known.sigma_max * normal(4, 6).double()
    reference = own_sampler("lms")(model, x, graded(1600, flow))
    counts = (200, 283, 400)  # a mixture is rougher than one Gaussian
    fitted, last = slopes(errors_of(name, model, x, reference, flow, counts), counts)
    assert fitted == pytest.approx(ORDERS[name], abs=0.15)
    assert last == pytest.approx(ORDERS[name], abs=0.15)


def test_every_rule_has_an_order_that_is_tested():
    assert set(ORDERS) == {*MULTISTEP_RULES, "heun"}


levels = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4).map(lambda cuts: 14.0 * np.cumprod([1.0, *cuts]))


@pytest.mark.parametrize("name", MULTISTEP_RULES)
@given(sigmas=levels)
def test_weights_add_up_to_the_integral_of_a_constant(name, sigmas):
    rule = MULTISTEP_RULES[name]
    past = list(sigmas[-2::-1])[: rule.order]
    weights = rule.weights(past, float(sigmas[-1]))
    whole = 1.0 - sigmas[-1] / past[0] if rule.feature == "denoised" else sigmas[-1] - past[0]
    assert len(weights) == len(past)
    assert sum(weights) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("name", MULTISTEP_RULES)
def test_weights_of_many_levels_at_once_are_those_of_each(name):
    rule = MULTISTEP_RULES[name]
    newest, older, ahead = 2.0, np.array([[9.0], [4.0], [2.5]]), np.array([[1.5, 0.7, 0.03]])
    past = [newest, older][: rule.order]
    together = [np.broadcast_to(weight, (3, 3)) for weight in rule.weights(past, ahead)]
    for row in range(3):
        for column in range(3):
            alone = rule.weights([newest, float(older[row, 0])][: rule.order], float(ahead[0, column]))
            assert np.allclose([weight[row, column] for weight in together], alone, rtol=1e-9)


@pytest.mark.parametrize("history", [1, 2, 3, 4])
def test_ipndm_is_adams_bashforth_where_steps_are_equal(history):
    past = [5.0 + step for step in range(history)]
    ours, exact = (MULTISTEP_RULES[name].weights(past, 4.0) for name in ("ipndm", "lms"))
    assert np.allclose(ours, exact)


def test_deis_is_exact_for_a_derivative_that_is_quadratic_in_vp_time():
    def vp_time(sigma: float) -> float:
        slope, first = 17.538, -0.00477  # of 0.002 .. 80 at times 0.001 .. 1
        return float((np.sqrt(first**2 + 2.0 * slope * np.log1p(sigma**2)) - first) / slope)

    past, ahead = [3.0, 5.0, 9.0], 1.2
    grid = np.linspace(past[0], ahead, 20_001)
    integral = trapezoid([vp_time(sigma) ** 2 for sigma in grid], grid)
    step = sum(w * vp_time(sigma) ** 2 for w, sigma in zip(MULTISTEP_RULES["deis"].weights(past, ahead), past))
    adams = sum(w * vp_time(sigma) ** 2 for w, sigma in zip(MULTISTEP_RULES["lms"].weights(past, ahead), past))
    assert step == pytest.approx(integral, rel=1e-3)
    assert adams != pytest.approx(integral, rel=1e-3)


@pytest.mark.parametrize("name", ORDERS)
def test_one_step_returns_the_model_output(name):
    x = 14.6146 * normal(3)
    end = own_sampler(name)(mixture(), x, torch.tensor([14.6146, 0.0]))
    assert torch.equal(end, mixture()(x, torch.full((3,), 14.6146)))


@pytest.mark.parametrize("name", ORDERS)
def test_a_callback_sees_every_step(name):
    sigmas, seen = CURVES["karras"](5, 0.0292, 14.6146), []
    own_sampler(name)(mixture(), 14.6 * normal(2), sigmas, callback=seen.append)
    assert [step["i"] for step in seen] == list(range(5))
    assert [float(step["sigma"]) for step in seen] == [float(sigma) for sigma in sigmas[:-1]]
    assert all(step["denoised"].shape == step["x"].shape for step in seen)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m"])
def test_two_calls_on_the_same_state_are_one_rule_step_each(name):
    x, rule = 10.0 * normal(2), MULTISTEP_RULES[name]
    outputs = {10.0: normal(2, seed=1), 3.0: normal(2, seed=2)}
    end = sample_multistep(lambda x, sigma: outputs[float(sigma[0])], x, torch.tensor([10.0, 3.0, 1.0]), rule=rule)
    states, past = [x.double()], []
    for sigma, ahead in pairwise([10.0, 3.0, 1.0]):
        state, output = states[-1], outputs[sigma].double()
        past.insert(0, (sigma, output if rule.feature == "denoised" else (state - output) / sigma))
        past = past[: rule.order]
        weights = rule.weights([level for level, _ in past], ahead)
        states.append(rule.carry(sigma, ahead) * state + sum(w * feature for w, (_, feature) in zip(weights, past)))
    assert torch.allclose(end.double(), states[-1], atol=1e-5)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'dpmpp_9m'.*pass the host's function.*euler.*dpmpp_2m.*heun"):
        own_sampler("dpmpp_9m")


def test_samplers_carry_the_hosts_name():
    assert own_sampler("dpmpp_2m").__name__ == "sample_dpmpp_2m"  # pyright: ignore[reportFunctionMemberAccess]
