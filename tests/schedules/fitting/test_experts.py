"""Two models in turn: each is asked on its side of the boundary only, and runs are made as hosts make them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.experts import levels_with_boundary, parts, steps_above, switch_sentences
from sigmasmith.schedules.fitting.report import FITTED
from sigmasmith.schedules.fitting.rollouts import Rollouts
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.teacher import run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.samplers.by_name import own_sampler

from .fits import DIM, FLOW, VE, Counted, mixture, normal, range_of, small_fit

BOUNDARY = {True: 0.875, False: 3.0}
EVERY = slice(0, 6)


class Experts:
    """Two counted mixtures, one for the boundary and above, the other below; their data differ by a factor."""

    def __init__(self, flow: bool) -> None:
        self.boundary = BOUNDARY[flow]
        self.high, self.low = Counted(mixture(flow)), Counted(lambda x, sigma: 1.1 * mixture(flow)(x, sigma))

    def run(self, flow: bool, rows: int = 6, seed: int = 0) -> DirectRun:
        x = range_of(flow).sigma_max * normal(rows, seed=seed)
        run = DirectRun(self.high, x, {}, second=(self.low, self.boundary))
        run.splits = True
        return run

    def fit(self, flow: bool, rows: int = 8, **options: Any) -> Calibration:
        return small_fit(self.high, normal(rows), flow=flow, boundary=self.boundary, low_denoiser=self.low, **options)


def rollouts(model: Experts, flow: bool, sampler: str = "dpmpp_2m") -> Rollouts:
    return Rollouts(model.run(flow), own_sampler(sampler), Budget(6, 1e9), Sketch(DIM, 512))


def schedule(flow: bool, steps: int = 8, curve: str = "tangent") -> torch.Tensor:
    known = range_of(flow)
    return CURVES[curve](steps, known.sigma_min, known.sigma_max)


@pytest.mark.slow
@given(steps=st.integers(1, 30), boundary=st.floats(0.0004, 1.2))
def test_parts_meet_at_one_sigma_and_hold_every_step_once(steps, boundary):
    sigmas = schedule(True, steps)
    first, second = parts(sigmas, boundary)
    assert (first[:-1] >= boundary).all()
    assert (second[:-1] < boundary).all()
    taken = [len(part) - 1 for part in (first, second) if len(part)]
    assert sum(taken) == steps
    assert steps_above(sigmas, boundary) == max(len(first) - 1, 0)
    if len(taken) == 2:
        assert first[-1] == second[0]
    assert parts(sigmas, None) == [sigmas]


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("nodes", [20, 48])
def test_the_teachers_levels_stay_in_order_and_the_second_model_begins_just_below(flow, nodes):
    levels = levels_with_boundary(teacher_sigmas(nodes, range_of(flow)), BOUNDARY[flow])
    assert len(levels) == nodes
    assert (np.diff(levels) < 0).all()
    first = levels[levels < BOUNDARY[flow]][0]
    assert 0.0 < 1.0 - first / BOUNDARY[flow] < 1e-5
    assert np.float32(first) < BOUNDARY[flow]


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_a_run_is_that_of_two_samplers_in_a_row(flow, sampler):
    model, sigmas = Experts(flow), schedule(flow)
    end = rollouts(model, flow, sampler)(sigmas, EVERY).end
    switch = steps_above(sigmas, model.boundary)
    assert 0 < switch < 8
    x = range_of(flow).sigma_max * normal(6)
    x = own_sampler(sampler)(model.high, x, sigmas[: switch + 1])
    x = own_sampler(sampler)(model.low, x, sigmas[switch:])
    assert torch.equal(end, x)


def test_a_run_answers_shared_calls_of_both_models_from_an_earlier_one():
    model, sigmas = Experts(True), schedule(True)
    runs = rollouts(model, True)
    base = runs(sigmas, EVERY)
    moved = sigmas.clone()
    moved[6] *= 0.95
    asked = model.high.calls, model.low.calls
    again = runs(moved, EVERY, base)
    assert (model.high.calls - asked[0], model.low.calls - asked[1]) == (0, 2)
    assert len(again.calls) == 8
    assert torch.equal(again.sigmas, moved)
    assert torch.equal(again.end, rollouts(Experts(True), True)(moved, EVERY).end)


class Host:
    """A run function that loads one of two models at a time, and hands over as hosts do."""

    splits = True

    def __init__(self, model: Experts) -> None:
        self.model = model
        self.loaded: list[str] = []

    def __call__(self, sampler: Any, sigmas: torch.Tensor, rows: slice) -> None:
        upper, lower = parts(sigmas, self.model.boundary)
        handed = sampler.known(upper)
        if handed is None:
            self.loaded.append("first")
            handed = sampler(self.model.high, FLOW.sigma_max * normal(6)[rows], upper)
        sampler.keep(handed)
        self.loaded.append("second")
        sampler(self.model.low, handed, lower)


def test_a_run_that_differs_below_the_boundary_only_needs_the_second_model_alone():
    model, sigmas = Experts(True), schedule(True)
    host = Host(model)
    runs = Rollouts(host, own_sampler("dpmpp_2m"), Budget(6, 1e9), Sketch(DIM, 512))
    base = runs(sigmas, EVERY)
    late, early = sigmas.clone(), sigmas.clone()
    late[6] *= 0.95
    early[1] = 0.5 * (early[0] + early[1])
    ends = [runs(moved, EVERY, base) for moved in (late, early)]
    assert host.loaded == ["first", "second", "second", "first", "second"]
    for moved, run in zip((late, early), ends):
        assert torch.equal(run.end, rollouts(Experts(True), True)(moved, EVERY).end)
        assert len(run.calls) == 8
    again = runs(late, EVERY, ends[0])  # from a run that skipped the first model itself
    assert host.loaded[-1] == "second"
    assert torch.equal(again.end, ends[0].end)
    assert len(host.loaded) == 6
    base.forget()
    runs(late, EVERY, base)
    assert host.loaded[-2:] == ["first", "second"]


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_the_teacher_converges_across_the_boundary(flow):
    ends = []
    for nodes in (24, 48, 600):
        levels = levels_with_boundary(teacher_sigmas(nodes, range_of(flow)), BOUNDARY[flow])
        ends.append(run_teacher(Experts(flow).run(flow), levels, EVERY, Sketch(DIM, 512), Budget(6, 1e9)).end)
    coarse, fine = (geometric_mean(sample_errors(end, ends[2])) for end in ends[:2])
    assert fine < 0.5 * coarse
    assert fine < 0.01 * float(ends[2].std())


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("method", ["gauss_newton", "oss"])
def test_a_fit_never_mixes_the_models_and_names_the_step_to_switch_after(flow, method):
    model, asked = Experts(flow), {"high": [], "low": []}
    for name, expert in (("high", model.high), ("low", model.low)):
        answer = expert.model

        def watched(x, sigma, seen=asked[name], answer=answer):
            seen.append(float(sigma[0]))
            return answer(x, sigma)

        expert.model = watched
    fit = model.fit(flow, steps=(4, 8), method=method)
    assert min(asked["high"]) >= model.boundary > max(asked["low"])
    assert fit.nfe == pytest.approx((model.high.rows + model.low.rows) / 8)
    for steps, sentence in zip((4, 8), switch_sentences(fit.schedules, model.boundary)):
        switch = steps_above(fit.schedules[steps], model.boundary)
        assert f"At {steps} steps switch to the second model after step {switch} of {steps}" in sentence
        assert sentence in str(fit.report)
    made = HowMade(method="oss" if method == "oss" else "", boundary=model.boundary, more=fit.made.more)
    assert fit.made == made
    assert set(fit.made.more) <= {"gain"}


@pytest.mark.slow
def test_the_fitted_schedule_beats_every_hosts_on_fresh_noise_run_by_two_models():
    model = Experts(True)
    fit = model.fit(True, rows=24, steps=8, effort="balanced")
    assert fit.report.rows[8].chosen == FITTED
    run, every = model.run(True, rows=48, seed=9), slice(0, 48)
    levels = levels_with_boundary(teacher_sigmas(400, FLOW), model.boundary)
    reference = run_teacher(run, levels, every, Sketch(DIM, 512), Budget(48, 1e9)).end
    runs = Rollouts(run, own_sampler("dpmpp_2m"), Budget(48, 1e9), Sketch(DIM, 512))
    errors = {
        name: geometric_mean(sample_errors(runs(made(8), every).end, reference))
        for name, made in host_schedules(FLOW).items()
        if float(made(8)[0]) > 0.999
    }
    ours = geometric_mean(sample_errors(runs(fit.schedules[8], every).end, reference))
    assert ours < min(errors.values())


@pytest.mark.parametrize("boundary", [0.0, -1.0, VE.sigma_max, 20.0, float("nan")])
def test_a_boundary_outside_the_models_range_is_refused(boundary):
    with pytest.raises(ValueError, match="boundary must be a sigma between"):
        small_fit(mixture(), normal(4), boundary=boundary, low_denoiser=mixture())


def test_a_second_model_needs_its_boundary():
    with pytest.raises(ValueError, match="boundary must be given"):
        small_fit(mixture(), normal(4), low_denoiser=mixture())


def test_schedules_on_one_side_are_said_to_need_one_model():
    sigmas = schedule(True, 4)
    assert switch_sentences({4: sigmas}, 1e-4) == ["At 4 steps the first model runs every step."]
    late = sigmas * 0.5
    assert switch_sentences({4: late}, 0.9) == ["At 4 steps the second model runs every step."]
