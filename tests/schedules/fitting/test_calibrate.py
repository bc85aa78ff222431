"""The fit end to end: what it returns, what it says, and on which rows it decides."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.fitting.effort import EFFORTS, SINGLE
from sigmasmith.schedules.fitting.report import FITTED
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import NAME
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

from .fits import FLOW, POOR, VE, Counted, assert_contract, mixture, normal, range_of, small_fit, teacher_of


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("sampler", [*MULTISTEP_RULES, "heun"])
def test_every_list_keeps_the_contract(sampler, flow):
    fit = small_fit(mixture(flow), normal(6), flow=flow, sampler=sampler, steps=(1, 2, 4))
    assert set(fit.schedules) == {1, 2, 4}
    assert fit.sampler == sampler
    assert_contract(fit, flow)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [0, 8])
def test_held_out_rows_never_influence_the_search(whole):
    """With a host schedule that never wins, what the search found is what is returned."""
    noise = normal(8)
    poisoned = noise.clone()
    poisoned[6:] = normal(2, seed=77) * torch.tensor([[3.0], [0.1]])
    first, second = (
        small_fit(Counted(mixture(), whole), rows, steps=(5, 8), baselines=POOR) for rows in (noise, poisoned)
    )
    assert [first.report.rows[steps].chosen for steps in (5, 8)] == [FITTED, FITTED]
    assert first.report.rows[5].errors != second.report.rows[5].errors
    for steps in (5, 8):
        assert torch.equal(first.schedules[steps], second.schedules[steps])


def test_search_rows_do_influence_the_search():
    other = normal(8)
    other[0] = normal(1, seed=77)[0]
    first, second = (small_fit(mixture(), rows, baselines=POOR) for rows in (normal(8), other))
    assert not torch.equal(first.schedules[5], second.schedules[5])


def test_what_is_called_fitted_starts_at_sigma_max_even_where_the_leading_host_does_not():
    late = {"late": lambda steps: finish_sigmas(torch.linspace(1.6, 0.4, steps, dtype=torch.float64).numpy())}
    found = []
    for steps in (1, 3):
        fit = small_fit(mixture(), normal(8), steps=steps, baselines=late)
        found.append(fit.report.rows[steps].errors.keys())
        if fit.report.rows[steps].chosen == FITTED:
            assert float(fit.schedules[steps][0]) == pytest.approx(VE.sigma_max, rel=1e-6)
        else:
            assert fit.report.rows[steps].errors["late"] < fit.report.rows[steps].errors[FITTED]
    assert all(set(names) == {FITTED, "late"} for names in found)


def test_reported_errors_are_those_of_runs_on_the_held_out_rows():
    noise = normal(12)
    fit = small_fit(mixture(), noise)
    reference = teacher_of(mixture(), 12, SINGLE.teacher_nodes).end[9:]
    end = own_sampler("dpmpp_2m")(mixture(), VE.sigma_max * noise[9:], fit.schedules[5])
    row = fit.report.rows[5]
    assert row.errors[row.chosen] == pytest.approx(geometric_mean(sample_errors(end, reference)), rel=1e-3)
    assert (fit.report.held_out, fit.report.samples) == (3, 12)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_a_model_whose_teachers_disagree_is_not_fitted_and_the_report_says_so(flow):
    def distilled(x, sigma):
        # The output jumps with sigma, as that of a model trained at four levels only does in between.
        return mixture(flow)(x, sigma) + 2.0 * torch.sin(400.0 * sigma.log())[:, None]

    model = Counted(distilled)
    fit = small_fit(model, normal(8), flow=flow, steps=(4, 8))
    assert "Nothing was fitted" in str(fit.report)
    assert "distilled" in str(fit.report)
    for steps in (4, 8):
        row = fit.report.rows[steps]
        assert FITTED not in row.errors
        assert row.chosen == row.best_host
        theirs = host_schedules(range_of(flow))[row.chosen](steps)
        assert torch.equal(fit.schedules[steps], theirs)
    assert fit.nfe == pytest.approx(model.rows / 8)


@pytest.mark.slow
def test_a_host_schedule_that_wins_is_returned_and_named():
    """Held-out rows that are another model's than the search rows: there its own schedule must win."""
    kinds = torch.tensor([0.0] * 6 + [1.0] * 2)

    def model(x, sigma, kind):
        early = mixture()(x, sigma)
        late = 0.04 * x / (0.04 + sigma[:, None] ** 2)
        return torch.where(kind[:, None] > 0.5, late, early)

    noise = normal(8)
    wise = small_fit(model, noise, baselines=POOR, extra_args={"kind": torch.ones(8)}, effort="balanced").schedules[5]
    hosts = {**POOR, "wise": lambda steps: wise}
    fit = small_fit(model, noise, baselines=hosts, extra_args={"kind": kinds}, effort="balanced")
    row = fit.report.rows[5]
    assert row.errors["wise"] < row.errors[FITTED]
    assert row.chosen == "wise"
    assert torch.equal(fit.schedules[5], wise)
    assert "At 5 steps the host's wise was better than the fit" in str(fit.report)
    assert fit.to_preset().origin[5] == "wise"


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "count"), [((5, 8), 4), ((5,), 2)])
def test_the_leading_hosts_are_compared_at_effort_fast_and_the_others_named(steps, count):
    fit = small_fit(mixture(), normal(8), steps=steps)
    compared = set(fit.report.rows[5].errors) - {FITTED}
    assert "simple" in compared
    assert len(compared) == count
    assert compared | set(fit.report.skipped) == set(host_schedules(VE))
    assert all(name in str(fit.report) for name in fit.report.skipped)


@pytest.mark.slow
def test_all_hosts_are_compared_at_effort_balanced():
    fit = small_fit(mixture(), normal(16), effort="balanced")
    assert set(fit.report.rows[5].errors) - {FITTED} == set(host_schedules(VE))
    assert fit.report.skipped == ()


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.slow
def test_eight_fitted_steps_beat_every_host_schedule_on_fresh_noise(flow):
    known, fresh = range_of(flow), normal(64, seed=5)
    fit = small_fit(mixture(flow), normal(32), flow=flow, steps=8, effort="balanced")
    reference = teacher_of_noise(fresh, flow)
    errors = {
        name: geometric_mean(sample_errors(run_on(fresh, schedule(8), flow), reference))
        for name, schedule in host_schedules(known).items()
    }
    ours = geometric_mean(sample_errors(run_on(fresh, fit.schedules[8], flow), reference))
    assert fit.report.rows[8].chosen == FITTED
    assert ours < min(errors.values())


@pytest.mark.slow
def test_a_hard_model_gets_twice_the_levels_where_that_leaves_enough_for_the_search():
    """Under guidance 30 the halves of 40 levels end 9 % of the distance between images apart, those of 80 do not."""
    model, labels = mixture(True, cfg=30.0), {"labels": torch.arange(8) % 3}
    counted = Counted(model)
    fit = small_fit(counted, normal(8), flow=True, steps=(5, 8, 10, 20), extra_args=labels)
    assert "Nothing was fitted" not in str(fit.report)
    assert counted.rows <= 8 * EFFORTS["fast"].limit((5, 8, 10, 20))
    top = FLOW.sigma_max * normal(8)[6:]
    fine = finish_sigmas(teacher_sigmas(600, FLOW))
    true, few = (
        own_sampler("dpmpp_2m")(model, top, sigmas, extra_args={"labels": torch.tensor([0, 1])})
        for sigmas in (fine, fit.schedules[8])
    )
    told = fit.report.rows[8].errors[fit.report.rows[8].chosen]
    assert told == pytest.approx(geometric_mean(sample_errors(few, true)), rel=0.2)


def test_a_hard_model_with_no_budget_for_more_levels_is_fitted_by_a_rough_reference():
    fit = small_fit(mixture(True, cfg=30.0), normal(8), flow=True, extra_args={"labels": torch.arange(8) % 3})
    row = fit.report.rows[5]
    assert row.chosen == FITTED
    assert row.errors[FITTED] < 0.5 * row.errors["simple"]
    assert "little is counted below it" in str(fit.report)


def test_a_hard_model_is_raced_on_where_the_rows_that_judge_can_have_levels_enough():
    """The halves of 30 levels end too far apart to be trusted; 60 on two rows show that the 30 are good enough."""
    counted, labels = Counted(mixture(True, cfg=30.0)), {"labels": torch.arange(8) % 3}
    fit = small_fit(counted, normal(8), flow=True, sampler=NAME, effort="quick", extra_args=labels)
    assert "Nothing was fitted" not in str(fit.report)
    assert fit.report.rows[5].chosen == FITTED
    assert counted.rows <= 450
    assert fit.report.reference is not None
    top, fine = FLOW.sigma_max * normal(8)[4:6], finish_sigmas(teacher_sigmas(600, FLOW))
    true = own_sampler("dpmpp_2m")(mixture(True, cfg=30.0), top, fine, extra_args={"labels": torch.tensor([1, 2])})
    away = geometric_mean(sample_errors(fit.report.reference, true))
    assert 0.5 * away < fit.report.reference_error < 2.0 * away


def test_a_model_whose_references_end_far_apart_is_said_to_be_one():
    fit = small_fit(mixture(True, cfg=90.0), normal(8), flow=True, extra_args={"labels": torch.arange(8) % 3})
    assert "Nothing was fitted: the reference solutions with 18 and 24 levels" in str(fit.report)


def run_on(noise: torch.Tensor, sigmas: torch.Tensor, flow: bool) -> torch.Tensor:
    return own_sampler("dpmpp_2m")(mixture(flow), float(sigmas[0]) * noise, sigmas)


def teacher_of_noise(noise: torch.Tensor, flow: bool) -> torch.Tensor:
    known = range_of(flow)
    levels = (
        torch.logspace(0.0, 1.0, 400, base=known.sigma_min / known.sigma_max, dtype=torch.float64) * known.sigma_max
    )
    fine = finish_sigmas(levels.numpy())
    return own_sampler("heun")(mixture(flow), known.sigma_max * noise.double(), fine.double())


def test_two_fits_give_equal_bits():
    first, second = (small_fit(mixture(), normal(8), steps=(5, 8)) for _ in range(2))
    for steps in (5, 8):
        assert torch.equal(first.schedules[steps], second.schedules[steps])
    assert first.report.rows == second.report.rows
    assert first.nfe == second.nfe


def test_a_fit_depends_on_no_global_random_state_and_leaves_it_alone():
    torch.manual_seed(1)
    first = small_fit(mixture(), normal(6))
    before = torch.get_rng_state()
    second = small_fit(mixture(), normal(6))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.schedules[5], second.schedules[5])
