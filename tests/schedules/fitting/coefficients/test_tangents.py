"""What the end of a run changes by, from a few model calls a step, beside true differences of whole runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.metrics import sample_errors
from sigmasmith.schedules.fitting.coefficients import tangents
from sigmasmith.schedules.fitting.coefficients.joint import RANKS, SlopePlan, coordinates_around, slope_plan
from sigmasmith.schedules.fitting.coefficients.tangents import (
    fits_in_memory,
    held_batches,
    most_held,
    tangent_calls,
    tangent_slope,
)
from sigmasmith.schedules.fitting.journal import Journal
from sigmasmith.schedules.fitting.objective import Objective, Trial
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.parameters import coefficients_of, dpmpp_2m_parameters
from torch import Tensor

from ..fits import DIM, Counted, mixture, objective_of, range_of
from ..recorded import Counting, Interrupted

ROWS, ALL = 8, 100


def started(objective: Objective, steps: int, flow: bool = False) -> Trial:
    known = range_of(flow)
    sigmas = CURVES["karras"](steps, known.sigma_min, known.sigma_max)
    return objective(sigmas, None, "", coefficients_of(dpmpp_2m_parameters(sigmas, 4), sigmas))


def slope(objective: Objective, trial: Trial, rank: int, flow: bool = False) -> Tensor:
    plan = SlopePlan(trial.steps, rank)
    return tangent_slope(objective, trial, coordinates_around(trial, plan, range_of(flow).sigma_min), rank)


def differences(objective: Objective, trial: Trial, flow: bool = False) -> Tensor:
    """(B, m, columns) central differences of whole runs."""
    coordinates = coordinates_around(trial, SlopePlan(trial.steps, 0), range_of(flow).sigma_min)
    columns = []
    for move in np.diag(0.1 * coordinates.differences):
        ahead, behind = (coordinates.trial(objective, sign * move, trial).residual for sign in (1.0, -1.0))
        columns.append((ahead - behind) / (2.0 * move.max()))
    return torch.stack(columns, dim=2)


def missed(found: Tensor, true: Tensor) -> Tensor:
    """(columns,) share of each column that is not there."""
    return ((found - true).square().sum(dim=(0, 1)) / true.square().sum(dim=(0, 1))).sqrt()


def gradient(slopes: Tensor, trial: Trial) -> Tensor:
    return torch.einsum("bmi,bm->i", slopes, trial.residual / trial.residual.square().sum(dim=1, keepdim=True))


@pytest.fixture
def small_moves(monkeypatch) -> None:
    """By which a model hardly bends; fits take larger ones, for outputs may be rounded."""
    monkeypatch.setattr(tangents, "_STATE_SHARE", 0.03)
    monkeypatch.setattr(tangents, "_SIGMA_SHARE", 0.003)


@pytest.mark.parametrize("flow", [False, True])
def test_all_directions_give_the_differences_of_whole_runs(small_moves, flow):
    objective = objective_of(mixture(flow), ROWS, flow=flow)
    trial = started(objective, 6, flow)
    share = missed(slope(objective, trial, ALL, flow), differences(objective, trial, flow))
    assert float(share.median()) < 0.01
    assert float(share.max()) < 0.05


@pytest.mark.parametrize("flow", [False, True])
def test_few_directions_keep_the_gradient(flow):
    objective = objective_of(mixture(flow), ROWS, flow=flow)
    trial = started(objective, 8, flow)
    true = gradient(differences(objective, trial, flow), trial)
    aims = [
        float(torch.cosine_similarity(gradient(slope(objective, trial, rank, flow), trial), true, dim=0))
        for rank in (1, 3, 5)
    ]
    assert aims[1] > 0.9
    assert aims[2] > 0.98
    assert aims[0] < aims[2]


@pytest.mark.parametrize(("steps", "rank", "calls"), [(2, 5, 3), (8, 3, 27), (8, 5, 39), (20, 5, 111)])
def test_they_cost_the_calls_that_were_announced(steps, rank, calls):
    model = Counted(mixture())
    objective = objective_of(model, ROWS)
    trial = started(objective, steps)
    before, spent = model.calls, objective.rollouts.budget.spent
    slope(objective, trial, rank)
    assert model.calls - before == tangent_calls(steps, rank) == calls
    assert objective.rollouts.budget.spent - spent == calls


def test_outputs_that_were_forgotten_are_asked_for_again():
    model = Counted(mixture())
    objective = objective_of(model, ROWS)
    trial = started(objective, 5)
    kept = slope(objective, trial, 3)
    trial.rollout.forget()
    before = model.calls
    assert torch.equal(slope(objective, trial, 3), kept)
    assert model.calls - before == 5 + tangent_calls(5, 3)


def test_outside_a_mask_the_end_is_the_output_itself(small_moves):
    """As the hosts' inpainting has it: the model is given the picture there, and answers it."""
    mask = (torch.arange(DIM) < DIM // 2).float()[None]
    picture = 0.3 * torch.ones(DIM)

    def painted(x: Tensor, sigma: Tensor, denoise_mask: Tensor) -> Tensor:
        inside = x * denoise_mask + (picture + sigma[:, None]) * (1.0 - denoise_mask)
        return mixture()(inside, sigma) * denoise_mask + picture * (1.0 - denoise_mask)

    objective = objective_of(mixture(), ROWS)
    objective.rollouts.run.model, objective.rollouts.run.extra_args = painted, {"denoise_mask": mask}  # type: ignore[attr-defined]
    trial = started(objective, 5)
    torch.testing.assert_close(trial.rollout.end[:, DIM // 2 :], picture[DIM // 2 :].expand(ROWS, -1))
    slopes, true = slope(objective, trial, ALL), differences(objective, trial)
    assert float(slopes[:, DIM // 2 :].abs().max()) < 1e-5 * float(slopes.abs().max())
    assert float(missed(slopes, true).median()) < 0.01


def test_an_error_in_detail_counts_as_in_the_residuals(small_moves):
    def shaped(x: Tensor, sigma: Tensor) -> Tensor:
        return mixture()(x.flatten(1), sigma).reshape(x.shape)

    objective = objective_of(mixture(), ROWS)
    run = objective.rollouts.run
    run.model, run.x = shaped, run.x.reshape(ROWS, 1, 3, 4)  # type: ignore[attr-defined]
    objective = replace(objective, reference=objective.reference.reshape(ROWS, 1, 3, 4), frequency_weight=4.0)
    trial = started(objective, 5)
    assert float(missed(slope(objective, trial, ALL), differences(objective, trial)).median()) < 0.01


@pytest.mark.parametrize("killed_after", [3, 16])
def test_an_interrupted_fit_asks_for_none_of_its_calls_twice(tmp_path, slow_calls, killed_after):
    """`killed_after` calls of the tangents, which are 15, or one of what comes after them."""
    steps, rank = 5, 3
    answer = torch.ones(1, 4, dtype=torch.float64)

    def run(model) -> Tensor:
        book = Journal.open(tmp_path, "tangents", answer)
        objective = objective_of(mixture(), ROWS)
        objective.rollouts.run.model = model  # type: ignore[attr-defined]
        objective = replace(objective, rollouts=replace(objective.rollouts, journal=book))
        try:
            trial = started(objective, steps)
            found = slope(objective, trial, rank)
            objective(trial.sigmas * 0.99, None, "", trial.coefficients)
            return found
        finally:
            book.close()

    whole = Counting()
    found = run(whole)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(Interrupted):
        run(Counting(steps + killed_after))
    rest = Counting()
    assert torch.equal(run(rest), found)
    assert rest.calls == whole.calls - steps - killed_after


def test_a_slope_is_told_by_differences_where_calls_allow_and_else_by_as_many_directions_as_they_do():
    objective = objective_of(mixture(), ROWS)
    trial = started(objective, 8)
    assert slope_plan(objective, trial, 300.0) == (8, 0)
    ranks = [slope_plan(objective, trial, calls).rank for calls in (160.0, 110.0, 70.0, 60.0, 52.0)]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] == RANKS[0]
    assert ranks[-1] == RANKS[-1]
    assert slope_plan(objective, trial, 40.0).knots == 0
    # Two models in turn, or one that answers otherwise when it is asked again, are run whole.
    for rollouts in (replace(objective.rollouts, in_turn=True), replace(objective.rollouts, reuse=False)):
        tied = slope_plan(replace(objective, rollouts=rollouts), trial, 110.0)
        assert tied.rank == 0
        assert 3 <= tied.knots < 8


def test_latents_of_video_are_too_large_to_be_followed():
    image, video = 4 * 4 * 16 * 128 * 128, 4 * 4 * 16 * 21 * 90 * 160
    assert fits_in_memory(20, RANKS[0], image)
    assert not fits_in_memory(20, RANKS[-1], video)
    assert most_held(20, 5, image) == (held_batches(20, 5) + tangent_calls(20, 5)) * image
    assert most_held(20, 5, video) < most_held(20, 5, image) * video / image


def test_a_refinement_by_tangents_ends_nearer():
    objective = objective_of(mixture(), ROWS)
    trial = started(objective, 8)
    coordinates = coordinates_around(trial, SlopePlan(8, 5), range_of(False).sigma_min)
    slopes = coordinates.slope(objective, trial)
    step = coordinates.bounded_step(np.zeros(slopes.shape[2]), trial.residual, slopes, 0.01, 0.0)
    moved = coordinates.trial(objective, step, trial)
    assert moved.error < 0.7 * trial.error
    assert torch.equal(sample_errors(moved.rollout.end, objective.reference), moved.errors)
