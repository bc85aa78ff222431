"""Accuracy, budget, batches, ends and levels of the adaptive sampler."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.adaptive.samplers import plan_stretches, sample_sigmasmith_adaptive, share_out
from sigmasmith.schedules.adaptive.settings import Settings
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import DIM, ENDS, METHODS, Watched, converged, gaussian, guided, levels, mixture, run, start

FLOWS = (False, True)


def errors(model, flow, method, exact, budgets):
    """Root mean square errors at a last level above 0, where the order shows."""
    ends = (run(model, flow, method=method, calls=calls, sigmas=levels(flow, to_zero=False))[0] for calls in budgets)
    return [float((end - exact).square().mean().sqrt()) for end in ends]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("method", "order"), [("predictive", 3.0), ("embedded_2", 2.0), ("embedded_3", 3.0)])
@pytest.mark.slow
def test_the_error_falls_with_the_order_of_the_method(flow, method, order):
    teacher, budgets = gaussian(flow), (20, 40, 80)
    sigmas = levels(flow, to_zero=False)
    exact = teacher.at(start(flow), float(sigmas[0]), float(sigmas[-1]))
    found = errors(teacher, flow, method, exact, budgets)
    slope = math.log(found[0] / found[-1]) / math.log(budgets[-1] / budgets[0])
    assert slope > order - 0.15, found
    if method != "predictive":  # whose largest steps are limited in order, so that small ones gain more
        assert slope < order + 0.5, found


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("method", "order"), [("predictive", 3.0), ("embedded_2", 2.0), ("embedded_3", 3.0)])
@pytest.mark.slow
def test_the_order_holds_where_the_model_is_not_linear(flow, method, order):
    found = errors(mixture(flow), flow, method, converged(flow, to_zero=False), (20, 80))
    assert math.log(found[0] / found[1]) / math.log(4.0) > order - 0.3, found


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.slow
def test_the_predictive_method_is_far_better_than_dpmpp_2m_at_equal_calls(flow):
    model, end = mixture(flow), converged(flow)
    high, low = ENDS[flow]
    # The best of a family of power-law grids, in hindsight.
    grids = [
        torch.linspace(high ** (1 / rho), low ** (1 / rho), 20, dtype=torch.float64) ** rho
        for rho in (1, 2, 3, 5, 7, 50)
    ]
    theirs = [own_sampler("dpmpp_2m")(model, start(flow), torch.cat([grid, torch.zeros(1)])) for grid in grids]
    ours, _ = run(model, flow, calls=20)
    assert float((ours - end).norm()) < 0.5 * min(float((other - end).norm()) for other in theirs)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    calls=st.integers(2, 60),
    method=st.sampled_from(METHODS),
    flow=st.booleans(),
    to_zero=st.booleans(),
    tolerance=st.sampled_from([None, 1e-4, 1e-2, 1.0]),
    reset=st.sampled_from([(), (0.5,), (0.7, 0.31, 0.3)]),
)
def test_a_budget_is_never_exceeded_and_the_end_is_reached(calls, method, flow, to_zero, tolerance, reset):
    model = Watched(guided(flow, 4.0))
    sigmas = levels(flow, to_zero=to_zero)
    end, report = run(model, flow, calls=calls, method=method, atol=tolerance, reset_at=reset, sigmas=sigmas)
    assert torch.isfinite(end).all()
    assert len(model.sigmas) == report.calls <= (calls if tolerance is None else calls * (1 + len(reset)))
    if method == "predictive" and tolerance is None:
        assert report.calls == calls
    for row, visited in enumerate(report.sigmas):
        assert visited[0] == float(sigmas[0])
        assert visited[-1] == float(sigmas[-1])
        assert all(later < earlier for earlier, later in pairwise(visited)), visited
        assert len(visited) - 1 - to_zero == report.accepted[row]
        assert report.accepted[row] + report.rejected[row] <= calls


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.slow
def test_a_smaller_tolerance_gives_a_smaller_error_for_more_calls(flow, method):
    model, exact = mixture(flow), converged(flow)
    found = [run(model, flow, method=method, calls=None, atol=atol) for atol in (0.03, 0.003, 0.0003)]
    distances = [float((end - exact).square().mean().sqrt()) for end, _ in found]
    assert distances[0] > 2.0 * distances[1] > 4.0 * distances[2]
    assert all(distance < 3.0 * atol for distance, atol in zip(distances, (0.03, 0.003, 0.0003)))
    counts = [report.calls for _, report in found]
    assert counts[0] < counts[1] < counts[2]


def test_a_relative_tolerance_follows_the_size_of_the_output():
    loose, tight = (run(mixture(False), False, calls=None, rtol=rtol)[1].calls for rtol in (0.05, 0.0005))
    assert loose < tight


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("limits", [{"calls": 12}, {"calls": None, "atol": 0.003}])
@pytest.mark.slow
def test_an_image_is_the_same_alone_and_beside_others(flow, method, limits):
    model, x = guided(flow, 3.0), start(flow, rows=4)
    together, report = run(model, flow, method=method, x=x, **limits)
    for row in range(4):
        alone, single = run(model, flow, method=method, x=x[row : row + 1], **limits)
        assert torch.allclose(together[row], alone[0], atol=1e-6)
        assert single.sigmas[0] == pytest.approx(report.sigmas[row], rel=1e-5)
    assert len({tuple(visited) for visited in report.sigmas}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_rows_that_have_to_wait_are_passed_as_they_last_were(method):
    model = Watched(guided(False, 5.0))
    _, report = run(model, False, method=method, calls=None, atol=0.001, x=start(False, rows=4))
    counts = [accepted + rejected for accepted, rejected in zip(report.accepted, report.rejected)]
    first = counts.index(min(counts))
    assert min(counts) < max(counts)
    for state, sigma in zip(model.states[counts[first] + 1 :], model.sigmas[counts[first] + 1 :]):
        assert torch.equal(state[first], model.states[counts[first]][first])
        assert float(sigma[first]) == float(model.sigmas[counts[first]][first])


def test_together_means_one_level_for_all_rows():
    for method in METHODS:
        model = Watched(guided(False, 5.0))
        run(model, False, method=method, calls=None, atol=0.003, together=True)
        assert all(float(sigma.max()) == float(sigma.min()) for sigma in model.sigmas)


@pytest.mark.parametrize("method", ["embedded_2", "embedded_3"])
def test_a_rejected_step_keeps_the_state_and_costs_one_call(method):
    model = Watched(guided(False, 6.0))
    x = start(False, rows=1)
    _, report = run(model, False, method=method, calls=None, atol=0.01, x=x)
    assert report.rejected[0] > 0
    assert report.calls == 1 + report.accepted[0] + report.rejected[0]
    seen = [float(sigma[0]) for sigma in model.sigmas]
    kept = set(report.sigmas[0])
    for here, after in pairwise(seen[1:]):
        # After a step was taken back the next trial starts from the same place, nearer.
        assert after > here if here not in kept else after < here


CHANGE = 0.4375  # a float32


def switched(flow):
    """A model whose conditioning changes on the way."""

    def model(x, sigma, **_):
        plain = mixture(flow)(x, sigma)
        return torch.where((sigma > CHANGE)[:, None], plain, plain.flip(1) + 0.5)

    return model


@cache
def exact_in_parts(flow):
    """Its end states: the first part alone, then the second alone, are the same solution."""
    middle, _ = run(switched(flow), flow, calls=300, sigmas=torch.tensor([ENDS[flow][0], CHANGE]))
    return run(switched(flow), flow, calls=300, x=middle, sigmas=torch.tensor([CHANGE, ENDS[flow][1], 0.0]))[0]


@pytest.mark.slow
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("method", METHODS)
def test_the_levels_where_the_conditioning_changes_are_visited_and_history_begins_anew(flow, method):
    model, exact = switched(flow), exact_in_parts(flow)
    end, report = run(model, flow, method=method, calls=60, reset_at=[CHANGE])
    assert all(CHANGE in visited for visited in report.sigmas)
    assert float((end - exact).abs().max()) < 0.04
    without, _ = run(model, flow, method=method, calls=60)
    assert float((end - exact).norm()) < float((without - exact).norm())


def test_a_budget_is_shared_between_the_parts_of_a_run():
    assert share_out(10, [1.0, 1.0]) == [5, 5]
    assert share_out(3, [100.0, 0.001, 1.0]) == [1, 1, 1]
    assert sum(share_out(57, [3.0, 1.0, 2.0])) == 57
    plan = Settings(2, None, None, "predictive", 1e-3, 4.0)
    assert len(plan_stretches([10.0, 5.0, 1.0, 0.1], True, plan)) == 2


@pytest.mark.parametrize("method", METHODS)
def test_video_latents_and_single_precision_run(method):
    x = torch.randn(2, 4, 3, 6, 6, generator=torch.Generator().manual_seed(0)) * 10.0

    def shrink(x, sigma, **_):
        s = sigma.reshape(-1, 1, 1, 1, 1)
        return x * 0.25 / (0.25 + s**2)

    end, _ = run(shrink, False, method=method, x=x, sigmas=torch.tensor([10.0, 0.02, 0.0]), calls=30)
    assert end.shape == x.shape
    assert end.dtype == torch.float32
    exact = x * 0.5 / (0.25 + 100.0) ** 0.5
    assert torch.allclose(end, exact, atol=0.02)
    half = run(shrink, False, method=method, x=x.to(torch.bfloat16), sigmas=torch.tensor([10.0, 0.02, 0.0]), calls=12)[
        0
    ]
    assert half.dtype == torch.bfloat16


def test_the_callback_tells_progress_in_log_sigma_and_ends_full():
    told = []
    sigmas = torch.cat([torch.logspace(1.0, -1.3, 8), torch.zeros(1)])
    sample_sigmasmith_adaptive(mixture(False), start(False), sigmas, callback=told.append, calls=30)
    steps = [entry["i"] for entry in told]
    assert steps == sorted(steps)
    assert steps[-1] == 7
    assert {"x", "i", "sigma", "sigma_hat", "denoised"} <= set(told[0])
    for entry in told[:-1]:
        share = math.log(float(sigmas[0]) / float(entry["sigma"])) / math.log(float(sigmas[0]) / float(sigmas[-2]))
        assert entry["i"] == min(int(share * 8 + 1e-9), 7)
        assert entry["denoised"].shape == entry["x"].shape


def test_without_a_budget_there_are_as_many_calls_as_steps():
    for steps in (1, 2, 5):
        sigmas = torch.cat([torch.logspace(1.0, -1.0, steps), torch.zeros(1)])
        assert run(mixture(False), False, calls=None, sigmas=sigmas)[1].calls == steps
    one, _ = run(mixture(False), False, calls=None, sigmas=torch.tensor([10.0, 0.0]))
    assert torch.allclose(one, mixture(False)(start(False), torch.full((3,), 10.0)))


def test_lists_without_a_step_return_the_state():
    x = start(False)
    assert sample_sigmasmith_adaptive(mixture(False), x, torch.tensor([3.0])) is x
    assert sample_sigmasmith_adaptive(mixture(False), x, torch.zeros(0)) is x


def test_the_models_own_smallest_level_replaces_the_lists():
    _, report = run(mixture(False), False, calls=20, sigmas=torch.tensor([10.0, 3.0, 0.0]), sigma_min=0.1)
    assert report.sigmas[0][-2] == pytest.approx(0.1)
    _, report = run(mixture(False), False, calls=4, sigmas=torch.tensor([0.08, 0.0]), sigma_min=0.1)
    assert report.sigmas[0][-2] >= 0.04


def test_steps_are_limited_where_the_budget_allows_it():
    _, report = run(mixture(False), False, calls=40, max_step=0.3)
    assert max(math.log(a / b) for a, b in zip(report.sigmas[0][:-2], report.sigmas[0][1:-1])) < 0.301
    _, report = run(mixture(False), False, calls=4, max_step=0.3)
    assert report.calls == 4
    _, report = run(mixture(False), False, calls=None, atol=1e-3, min_step=0.5)
    assert min(math.log(a / b) for a, b in zip(report.sigmas[0][:-3], report.sigmas[0][1:-2])) > 0.499


@pytest.mark.parametrize("method", METHODS)
def test_nan_names_sigma_call_and_sample(method):
    def broken(x, sigma, **_):
        bad = (sigma < 2.0) & (torch.arange(len(sigma)) == 1)
        return torch.where(bad[:, None], math.nan, mixture(False)(x, sigma))

    with pytest.raises(ValueError, match=r"model: .*NaN.* at sigma [01]\.\d+ \(call \d+\) for sample 1"):
        run(broken, False, method=method, calls=20)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"calls": 0}, "calls"),
        ({"calls": 1}, "calls"),
        ({"calls": -3}, "calls"),
        ({"calls": 2.5}, "calls"),
        ({"calls": True}, "calls"),
        ({"rtol": 0.0}, "rtol"),
        ({"atol": -1.0}, "atol"),
        ({"atol": math.nan}, "atol"),
        ({"method": "magic"}, "method"),
        ({"min_step": 0.0}, "min_step"),
        ({"min_step": 2.0, "max_step": 1.0}, "max_step"),
        ({"sigma_min": -1.0}, "sigma_min"),
        ({"sigmas": torch.tensor([1.0, 2.0, 0.0])}, "sigmas"),
        ({"sigmas": torch.tensor([math.inf, 2.0, 0.0])}, "sigmas"),
    ],
)
def test_bad_input_names_the_argument_and_calls_nothing(changed, name):
    model = Watched(mixture(False))
    with pytest.raises(ValueError, match=name):
        run(model, False, **changed)
    assert not model.sigmas


def test_a_flow_run_above_1_is_refused():
    with pytest.raises(ValueError, match="at most 1"):
        run(mixture(True), True, sigmas=torch.tensor([2.0, 0.1, 0.0]))


def test_rows_of_different_difficulty_keep_their_place():
    # Row 0 is smooth, row 1 is not: their labels decide, and they must not be mixed up.
    model = mixture(False, cfg=6.0)
    x = start(False, rows=2)
    args = {"labels": torch.tensor([0, 1])}
    together, _ = run(model, False, x=x, calls=None, atol=0.003, extra_args=args)
    alone, _ = run(model, False, x=x[1:], calls=None, atol=0.003, extra_args={"labels": torch.tensor([1])})
    assert torch.allclose(together[1], alone[0], atol=1e-6)
    assert together.shape == (2, DIM)
