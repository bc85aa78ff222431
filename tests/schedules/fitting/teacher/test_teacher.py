"""The teacher: order, distance from exact solutions, what it records."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.teacher import exponential_weights, restricted, run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas

from ..fits import Counted, direct, gaussian, mixture, normal, range_of, teacher_of

COUNTS = (20, 28, 40, 56)


@pytest.mark.parametrize("flow", [False, True])
def test_the_teacher_is_of_third_order_down_to_sigma_min(flow):
    """At the lengths in use; its first two steps are of lower order, which shows beyond some 60 levels."""
    known, model = range_of(flow), gaussian(flow)
    exact = model.at(known.sigma_max * normal(4).double(), known.sigma_max, known.sigma_min)
    errors = [
        float((teacher_of(model, 4, nodes, flow=flow).states[-1] - exact).square().mean().sqrt()) for nodes in COUNTS
    ]
    slope = -np.polyfit(np.log(COUNTS), np.log(errors), 1)[0]
    last = -np.log(errors[-1] / errors[-2]) / np.log(COUNTS[-1] / COUNTS[-2])
    assert slope >= 2.7
    assert last >= 2.6


@pytest.mark.parametrize("flow", [False, True])
def test_the_teacher_ends_where_the_exact_gaussian_trajectory_ends(flow):
    known, model = range_of(flow), gaussian(flow)
    exact = model.at(known.sigma_max * normal(4).double(), known.sigma_max, 0.0)
    errors = [geometric_mean(sample_errors(teacher_of(model, 4, nodes, flow=flow).end, exact)) for nodes in (20, 64)]
    assert errors[1] < 1e-3
    assert errors[1] < errors[0]


@pytest.mark.parametrize("flow", [False, True])
def test_the_teachers_states_lie_on_the_exact_trajectory(flow):
    known, model = range_of(flow), gaussian(flow)
    teacher, x = teacher_of(model, 3, 64, flow=flow), known.sigma_max * normal(3).double()
    for sigma, state, output in zip(teacher.sigmas, teacher.states, teacher.outputs):
        exact = model.at(x, known.sigma_max, float(sigma))
        assert float((state - exact).square().mean().sqrt()) < 2e-3
        assert torch.allclose(output, model(state, torch.full((3,), float(sigma))), atol=1e-4)


@pytest.mark.parametrize("flow", [False, True])
@given(nodes=st.integers(2, 200))
def test_teacher_levels_fall_from_sigma_max_to_sigma_min(nodes, flow):
    known, levels = range_of(flow), teacher_sigmas(nodes, range_of(flow))
    assert len(levels) == nodes
    assert levels[0] == known.sigma_max
    assert levels[-1] == known.sigma_min
    assert (np.diff(levels) < 0).all()


@given(cuts=st.lists(st.floats(0.2, 0.95), min_size=2, max_size=4), degree=st.integers(0, 2))
def test_exponential_weights_integrate_polynomials_in_log_sigma_exactly(cuts, degree):
    sigmas = 10.0 * np.cumprod([1.0, *cuts])
    past, ahead = sigmas[-2::-1], float(sigmas[-1])
    degree = min(degree, len(past) - 1)
    weights = exponential_weights(past, ahead)
    h = np.log(past[0] / ahead)
    t = np.linspace(0.0, h, 20_001)
    values = t**degree * np.exp(t - h)
    integral = float(np.sum(0.5 * (values[1:] + values[:-1]) * np.diff(t)))
    assert float(weights @ np.log(past[0] / past) ** degree) == pytest.approx(integral, rel=1e-5, abs=1e-9)


def test_a_teacher_calls_the_model_once_per_level_and_counts_it():
    model = Counted(mixture())
    budget = Budget(3, 1e9)
    run_teacher(direct(model, 3), teacher_sigmas(17, range_of(False)), slice(0, 3), Sketch(12, 512), budget)
    assert model.calls == 17
    assert budget.spent == 17


def test_nan_in_the_teacher_names_sigma_call_and_sample():
    def model(x, sigma):
        out = mixture()(x, sigma)
        if float(sigma[0]) < 1.0:
            out[2, 5] = float("nan")
        return out

    levels = teacher_sigmas(20, range_of(False))
    at = int(np.argmax(levels < 1.0))
    with pytest.raises(ModelError, match=rf"sigma {levels[at]:.6g} \(call {at + 1}\) for sample 2"):
        run_teacher(direct(model, 4), levels, slice(0, 4), Sketch(12, 512), Budget(4, 1e9))


def test_a_restricted_teacher_has_the_same_values_on_its_rows():
    teacher = teacher_of(mixture(), 5, 10)
    part = restricted(teacher, slice(1, 3))
    assert torch.equal(part.states, teacher.states[:, 1:3])
    assert torch.equal(part.outputs, teacher.outputs[:, 1:3])
    assert torch.equal(part.end, teacher.end[1:3])
    assert torch.equal(part.end_sketch, teacher.end_sketch[1:3])


def test_half_precision_start_states_are_raised_to_single():
    seen = []

    def model(x, sigma):
        seen.append(x.dtype)
        return mixture()(x, sigma).half()

    run = direct(model, 2)
    run.x = run.x.half()
    run_teacher(run, teacher_sigmas(5, range_of(False)), slice(0, 2), Sketch(12, 512), Budget(2, 1e9))
    assert set(seen) == {torch.float32}


def test_a_zero_snr_range_spends_its_levels_where_the_model_says_something():
    wide = SigmaRange(0.0292, 4518.8)
    levels = teacher_sigmas(24, wide)
    assert levels[0] == 4518.8
    assert levels[1] == pytest.approx(80.0)
    assert levels[-1] == pytest.approx(0.0292)
    assert bool((np.diff(levels) < 0).all())
