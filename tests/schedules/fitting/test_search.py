"""What the search runs first: candidates of dynamic programming, GITS and DMN, within the budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sigmasmith.schedules.fitting import journal as journal_module
from sigmasmith.schedules.fitting import pipeline, search
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.effort import EFFORTS, SINGLE
from sigmasmith.schedules.fitting.objective import Objective, Trial
from sigmasmith.schedules.fitting.problem import Problem
from sigmasmith.schedules.fitting.refine.gauss_newton import refine
from sigmasmith.schedules.hosts.schedules import host_schedules

from .fits import POOR, VE, Counted, mixture, normal, objective_of, small_fit

PUBLISHED = {"GITS", "DMN"}


@pytest.fixture
def first_runs(monkeypatch) -> list[Trial]:
    """Every trial of a schedule that was not refined from another, in order."""
    seen: list[Trial] = []
    run_all = search._run_all

    def recorded(*args: Any) -> list[Trial]:
        made = run_all(*args)
        seen.extend(made)
        return made

    monkeypatch.setattr(search, "_run_all", recorded)
    return seen


def counts_of(trials: list[Trial], origin: str) -> list[int]:
    return [trial.steps for trial in trials if trial.origin == origin]


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_a_balanced_fit_runs_gits_and_dmn_candidates_of_every_count_that_is_not_large(first_runs, flow):
    model = Counted(mixture(flow))
    fit = small_fit(model, normal(8), flow=flow, effort="balanced", steps=(5, 8, 20))
    assert counts_of(first_runs, "GITS") == counts_of(first_runs, "DMN") == [5, 8]
    assert set(counts_of(first_runs, "dynamic programming")) == {5, 8}
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= EFFORTS["balanced"].limit((5, 8, 20))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"effort": "fast", "steps": (5, 8)},
        {"effort": "fast", "steps": (5,)},
        {"effort": "balanced", "steps": (5,), "method": "oss"},
    ],
)
def test_a_fast_fit_and_the_recursive_search_run_none_of_them(first_runs, options):
    small_fit(mixture(), normal(8), **options)
    assert not PUBLISHED & {trial.origin for trial in first_runs}


@pytest.mark.parametrize("options", [{"steps": (5,)}, {"steps": (5,), "calls": 700}])
def test_a_fit_of_a_flow_model_starts_from_the_hosts_default_schedule_too(first_runs, options):
    """On flow models `simple` is hard to beat for dpmpp_2m: fits that started elsewhere ended .78 as near."""
    fit = small_fit(mixture(True), normal(8), flow=True, **options)
    simple = host_schedules(fit.sigma_range)["simple"](5)
    assert any(torch.allclose(trial.sigmas, simple) for trial in first_runs)
    assert "simple" in fit.report.rows[5].errors


def test_every_fit_is_held_against_the_hosts_default_schedule():
    assert "simple" in small_fit(mixture(), normal(8), steps=(5,)).report.rows[5].errors


def test_a_budget_that_leaves_nothing_to_refine_it_does_without(first_runs):
    fit = small_fit(Counted(mixture(True), 8), normal(8), flow=True, steps=(8,))
    assert {trial.origin for trial in first_runs} == {"dynamic programming"}
    assert fit.nfe <= SINGLE.limit((8,))


def test_only_the_efforts_beyond_fast_have_the_evaluations_for_them():
    assert [name for name, effort in EFFORTS.items() if effort.published] == ["balanced", "thorough"]
    assert not SINGLE.published


@pytest.mark.slow
def test_the_start_that_is_refined_first_is_the_best_of_true_runs_whoever_made_it(first_runs, monkeypatch):
    refined: list[Trial] = []

    def recorded(objective: Objective, start: Trial, floor: float, allowance: float) -> Trial:
        refined.append(start)
        return refine(objective, start, floor, allowance)

    monkeypatch.setattr(search, "refine", recorded)
    monkeypatch.setattr(search, "dp_schedules", lambda _, __, counts: {count: POOR["poor"](count) for count in counts})
    small_fit(mixture(), normal(8), effort="balanced", steps=(6,), baselines=POOR)
    assert refined[0].error == min(trial.error for trial in first_runs)
    assert refined[0].origin in PUBLISHED


def test_a_candidate_that_was_run_up_to_rounding_is_not_run_again():
    objective = objective_of(mixture(), 4)
    old = torch.tensor([VE.sigma_max, 3.0, 0.5, 0.0])
    trials = [objective(old)]
    nearly, new = old.clone(), old.clone()
    nearly[1], new[1] = torch.nextafter(old[1], old[0]), 3.01
    assert not torch.equal(nearly, old)
    kept = search._unlike([old, nearly, new, old[[0, 1, 3]]], trials)
    assert [sigmas.tolist() for sigmas in kept] == [new.tolist(), old[[0, 1, 3]].tolist()]


@pytest.mark.slow
def test_the_host_comparison_leaves_them_their_evaluations(monkeypatch):
    given: list[tuple[Problem, search.AlongTeacher]] = []

    def recorded(problem: Problem, along: search.AlongTeacher) -> list[str]:
        given.append((problem, along))
        return search.compared_hosts(problem, along)

    monkeypatch.setattr(pipeline, "compared_hosts", recorded)
    small_fit(mixture(), normal(8), effort="balanced", steps=(5, 8, 20))
    fit, along = given[0]
    bare = replace(along, published={})
    first = (3 * (5 + 8 + 20) + 2 * (5 + 8)) * fit.share(fit.search)
    one = (5 + 8 + 20) * fit.share(fit.held_out)
    fewer = 0
    for limit in np.arange(90.0, 300.0, 7.0):
        scarce = replace(fit, budget=Budget(8, limit))
        hosts = len(search.compared_hosts(scarce, along))
        assert hosts == 1 or first + (hosts + fit.finds) * one <= limit
        fewer += hosts < len(search.compared_hosts(scarce, bare))
    assert fewer


@pytest.mark.slow
def test_a_fit_interrupted_at_a_gits_or_dmn_candidate_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    class Stop(Exception):  # noqa: N818 (a person's act, no error)
        pass

    monkeypatch.setattr(journal_module, "_SLOW_CALL_SECONDS", 0.0)
    options: dict[str, Any] = {"effort": "balanced", "steps": (4, 6)}
    whole = small_fit(mixture(), normal(8), **options)
    real = Objective.__call__

    for name in sorted(PUBLISHED):

        def stopping(self: Objective, *args: Any, name: str = name, **kwargs: Any) -> Trial:
            trial = real(self, *args, **kwargs)
            if kwargs.get("origin") == name and trial.steps == 6:
                raise Stop
            return trial

        monkeypatch.setattr(Objective, "__call__", stopping)
        with pytest.raises(Stop):
            small_fit(mixture(), normal(8), journal=tmp_path / name, **options)
        monkeypatch.setattr(Objective, "__call__", real)
        model = Counted(mixture())
        resumed = small_fit(model, normal(8), journal=tmp_path / name, **options)
        assert all(torch.equal(resumed.schedules[count], whole.schedules[count]) for count in (4, 6))
        assert str(resumed.report) == str(whole.report)
        assert model.rows / 8 < whole.nfe - 60
