"""Local errors are those of true single steps of the rule from the teacher's states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.schedules.fitting.teacher.local_errors import DenseTeacher, densify, local_errors
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES, MultistepRule

from ..fits import gaussian, mixture, normal, range_of, teacher_of

RULES = ["euler", "dpmpp_2m", "res_multistep", "gradient_estimation", "ipndm", "deis", "lms"]


def as_dense(teacher) -> DenseTeacher:
    return DenseTeacher(
        teacher.sigmas, teacher.states.numpy(), teacher.outputs.numpy(), teacher.end_sketch.double().numpy()
    )


def step(rule: MultistepRule, teacher: DenseTeacher, history: list[int], ahead: int) -> np.ndarray:
    """(B, m) result of one step of the rule to level `ahead` from the teacher's state at the newest of `history`."""
    newest = history[0]
    if ahead == len(teacher.sigmas):
        return teacher.outputs[newest]
    past = [float(teacher.sigmas[i]) for i in history][: rule.order]
    sigma_next = float(teacher.sigmas[ahead])
    result = rule.carry(past[0], sigma_next) * teacher.states[newest]
    for i, weight in zip(history, rule.weights(past, sigma_next)):
        derivative = (teacher.states[i] - teacher.outputs[i]) / teacher.sigmas[i]
        result = result + float(weight) * (teacher.outputs[i] if rule.feature == "denoised" else derivative)
    return result


def true_error(rule: MultistepRule, teacher: DenseTeacher, history: list[int], ahead: int) -> float:
    """Mean over samples of the step's mean squared error over the sample's difficulty."""
    ends = np.concatenate([teacher.states, teacher.end[None]])
    difficulty = sum(
        np.square(step(rule, teacher, [i], i + 1) - ends[i + 1]).mean(axis=1) for i in range(len(teacher.sigmas) - 1)
    )
    return float((np.square(step(rule, teacher, history, ahead) - ends[ahead]).mean(axis=1) / difficulty).mean())


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_the_first_steps_error_is_that_of_a_step_without_history(name, flow):
    rule, teacher = MULTISTEP_RULES[name], as_dense(teacher_of(mixture(flow), 3, 9, flow=flow))
    errors = local_errors(teacher, rule)
    for i in range(9):
        for ahead in range(i + 1, 10):
            assert errors.first[i, ahead] == pytest.approx(true_error(rule, teacher, [i], ahead), rel=1e-6)
        assert np.isinf(errors.first[i, : i + 1]).all()


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_pairs_error_is_that_of_a_step_with_the_output_before_as_history(name, flow):
    rule, teacher = MULTISTEP_RULES[name], as_dense(teacher_of(mixture(flow), 3, 9, flow=flow))
    errors = local_errors(teacher, rule)
    for h in range(9):
        for i in range(h + 1, 9):
            for ahead in range(i + 1, 9):
                expected = true_error(rule, teacher, [i, h], ahead)
                assert errors.pair[h, i, ahead] == pytest.approx(expected, rel=1e-5, abs=1e-12)
            assert np.isinf(errors.pair[h, i, : i + 1]).all()


def test_the_step_to_zero_is_judged_by_the_output_there():
    teacher = as_dense(teacher_of(mixture(), 1, 9))
    errors = local_errors(teacher, MULTISTEP_RULES["dpmpp_2m"])
    miss = np.square(teacher.end - teacher.outputs).mean(axis=(1, 2))
    assert errors.first[:, -1] / errors.first[0, -1] == pytest.approx(miss / miss[0], rel=1e-9, abs=1e-15)
    assert errors.first[8, -1] == 0.0  # the teacher's own last step


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_densified_levels_lie_on_the_exact_gaussian_trajectory(factor, flow):
    known, model = range_of(flow), gaussian(flow)
    teacher = teacher_of(model, 3, 40, flow=flow)
    dense = densify(teacher, factor)
    assert len(dense.sigmas) == 39 * factor + 1
    assert dense.sigmas[::factor] == pytest.approx(teacher.sigmas)
    x = known.sigma_max * normal(3).double()
    for sigma, state, output in zip(dense.sigmas, dense.states, dense.outputs):
        exact = model.at(x, known.sigma_max, float(sigma))
        assert float((torch.from_numpy(state) - exact).square().mean().sqrt()) < 5e-3
        right = model(exact, torch.full((3,), float(sigma)))
        assert float((torch.from_numpy(output) - right).square().mean().sqrt()) < 5e-3


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "lms"])
@pytest.mark.parametrize("flow", [False, True])
def test_errors_on_densified_levels_are_those_of_the_model_itself(name, flow):
    known, model, rule = range_of(flow), gaussian(flow), MULTISTEP_RULES[name]
    dense = densify(teacher_of(model, 1, 56, flow=flow), 2)
    errors = local_errors(dense, rule)
    x = known.sigma_max * normal(1).double()
    states = [model.at(x, known.sigma_max, float(sigma)) for sigma in dense.sigmas]
    outputs = [model(state, torch.full((1,), float(sigma))) for state, sigma in zip(states, dense.sigmas)]
    exact = DenseTeacher(
        dense.sigmas,
        torch.stack(states).numpy(),
        torch.stack(outputs).numpy(),
        model.at(x, known.sigma_max, 0.0).numpy(),
    )
    for h, i, ahead in [(0, 20, 41), (11, 31, 52), (25, 44, 61), (30, 50, 77)]:
        assert errors.first[h, i] == pytest.approx(true_error(rule, exact, [h], i), rel=0.05)
        assert errors.pair[h, i, ahead] == pytest.approx(true_error(rule, exact, [i, h], ahead), rel=0.1)


def test_a_sample_that_is_harder_all_along_does_not_outweigh_the_others():
    teacher = as_dense(teacher_of(mixture(), 2, 9))
    rule = MULTISTEP_RULES["dpmpp_2m"]
    scaled = DenseTeacher(
        teacher.sigmas, *(a * np.array([1.0, 100.0])[:, None] for a in (teacher.states, teacher.outputs, teacher.end))
    )
    assert np.allclose(local_errors(scaled, rule).first, local_errors(teacher, rule).first)
