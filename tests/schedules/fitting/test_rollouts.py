"""Student runs: prefixes are reused exactly, everything is counted, NaN is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError, check_finite
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.journal import Journal
from sigmasmith.schedules.fitting.rollouts import take_rows
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES

from .fits import DIM, Counted, Rowless, mixture, normal, range_of, rollouts_of
from .recorded import Counting, Interrupted

STEPS = 6
SAMPLERS = [*MULTISTEP_RULES, "heun"]


def schedule(flow: bool = False) -> torch.Tensor:
    known = range_of(flow)
    return CURVES["karras"](STEPS, known.sigma_min, known.sigma_max)


def moved(sigmas: torch.Tensor, at: int) -> torch.Tensor:
    other = sigmas.clone()
    other[at] *= 1.02
    return other


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
def test_moving_a_sigma_costs_exactly_the_calls_from_it_on(name, flow):
    model = Counted(mixture(flow))
    rollouts = rollouts_of(model, 4, sampler=name, flow=flow)
    base = rollouts(schedule(flow), slice(0, 4))
    assert model.calls == len(base.calls) == (2 * STEPS - 1 if name == "heun" else STEPS)
    for at in range(1, STEPS):
        model.calls, before = 0, rollouts.budget.spent
        run = rollouts(moved(schedule(flow), at), slice(0, 4), base)
        # Heun calls each inner sigma twice: at the end of the step to it, and at the start of the step from it.
        assert model.calls == (2 * (STEPS - at) if name == "heun" else STEPS - at)
        assert rollouts.budget.spent - before == model.calls
        assert len(run.calls) == len(base.calls)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_with_a_shared_beginning_is_bit_identical_to_a_fresh_one(name, flow):
    rollouts = rollouts_of(mixture(flow), 4, sampler=name, flow=flow)
    base = rollouts(schedule(flow), slice(0, 4))
    for at in range(1, STEPS):
        sigmas = moved(schedule(flow), at)
        reused, fresh = rollouts(sigmas, slice(0, 4), base), rollouts(sigmas, slice(0, 4))
        assert torch.equal(reused.end, fresh.end)
        assert all(torch.equal(a.state, b.state) for a, b in zip(reused.calls, fresh.calls))


def test_the_same_schedule_again_costs_nothing():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 4)
    base = rollouts(schedule(), slice(0, 4))
    model.calls = 0
    assert torch.equal(rollouts(schedule(), slice(0, 4), base).end, base.end)
    assert model.calls == 0


def test_a_chain_of_runs_reuses_across_generations():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 4)
    first = rollouts(schedule(), slice(0, 4))
    second = rollouts(moved(schedule(), 4), slice(0, 4), first)
    model.calls = 0
    third = rollouts(moved(schedule(), 5), slice(0, 4), second)
    assert model.calls == 2  # the second run differs at sigma 4, so what is shared are its first four calls
    assert torch.equal(third.end, rollouts(moved(schedule(), 5), slice(0, 4)).end)


@pytest.mark.parametrize("values", [DIM, 4096])
def test_a_run_from_another_state_is_never_answered_from_memory(values):
    def model(x, sigma):
        return 0.9 * x

    counted = Counted(model)
    rollouts = rollouts_of(counted, 2, shape=(values,))
    assert isinstance(rollouts.run, DirectRun)
    base = rollouts(schedule(), slice(0, 2))
    for place in (0, values // 2, values - 1):
        start = rollouts.run.x.clone()
        rollouts.run.x[1, place] += 1e-3
        counted.calls = 0
        rollouts(schedule(), slice(0, 2), base)
        assert counted.calls == STEPS
        rollouts.run.x.copy_(start)


def test_other_rows_are_never_answered_from_memory():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 4)
    base = rollouts(schedule(), slice(0, 2))
    model.calls = 0
    other = rollouts(schedule(), slice(2, 4), base)
    assert model.calls == STEPS
    assert torch.equal(other.end, rollouts(schedule(), slice(2, 4)).end)


def test_after_the_first_difference_nothing_is_answered_from_memory():
    """A sampler whose states meet again: the sampler may keep history, so later calls are made anew."""

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for sigma in sigmas[:-1]:
            model(x, sigma * x.new_ones(len(x)))
        return x

    model = Counted(mixture())
    rollouts = rollouts_of(model, 2, sampler=sampler)
    base = rollouts(schedule(), slice(0, 2))
    model.calls = 0
    rollouts(moved(schedule(), 2), slice(0, 2), base)
    assert model.calls == STEPS - 2


def test_reuse_can_be_switched_off():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 2)
    rollouts.reuse = False
    base = rollouts(schedule(), slice(0, 2))
    rollouts(schedule(), slice(0, 2), base)
    assert model.calls == 2 * STEPS


def test_attributes_of_the_hosts_model_are_reached_through_the_recording():
    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return model(x, sigmas[0] * x.new_ones(len(x))) * model.inner_model

    model = mixture()
    hosted = Counted(model)
    hosted.inner_model = 3.0  # pyright: ignore[reportAttributeAccessIssue]
    end = rollouts_of(hosted, 2, sampler=sampler)(schedule(), slice(0, 2)).end
    x = range_of(False).sigma_max * normal(2)
    assert torch.equal(end, 3.0 * model(x, torch.full((2,), float(schedule()[0]))))


class NanBelow:
    """A model that returns NaN for the sample that starts like row `row`, below a noise level."""

    def __init__(self, row: int, sigma: float, rows: int) -> None:
        self.row, self.sigma, self.start = row, sigma, normal(rows)
        self.rows = torch.arange(rows)

    def __call__(self, x, sigma) -> torch.Tensor:
        out = mixture()(x, sigma)
        if float(sigma[0]) == float(schedule()[0]):
            # Rows are known by their start state, as a run may hold only some of them.
            near = torch.cdist(x / sigma[:, None], self.start)
            self.rows = near.argmin(dim=1)
        if float(sigma[0]) < self.sigma:
            out[self.rows == self.row, 3] = float("inf")
        return out


@pytest.mark.parametrize("rows", [slice(0, 6), slice(0, 4), slice(3, 6)])
def test_nan_names_sigma_call_and_the_sample_of_the_whole_batch(rows):
    sigmas = schedule()
    model = NanBelow(3, float(sigmas[1]), 6)
    rollouts = rollouts_of(model, 6)
    if rows.stop == 4:
        rows = slice(1, 4)
    with pytest.raises(ModelError, match=rf"sigma {float(sigmas[2]):.6g} \(call 3\) for sample 3"):
        rollouts(sigmas, rows)


def test_a_finite_output_passes_and_the_first_bad_sample_is_named():
    check_finite(normal(3), 1.0, 0)
    bad = normal(3)
    bad[1, 0] = bad[2, 0] = float("nan")
    with pytest.raises(ModelError, match=r"NaN or infinity at sigma 1 \(call 1\) for sample 1$"):
        check_finite(bad, 1.0, 0)


def test_a_run_of_the_whole_batch_gives_the_rows_that_were_asked_for():
    rollouts = rollouts_of(mixture(), 5)
    assert isinstance(rollouts.run, DirectRun)
    rollouts.run.splits = False
    whole, part = rollouts(schedule(), slice(0, 5)), rollouts(schedule(), slice(3, 5))
    assert torch.equal(part.end, whole.end[3:5])
    assert rollouts.budget.spent == 2 * STEPS


def test_rows_are_taken_once():
    values = normal(6)
    assert torch.equal(take_rows(values, slice(2, 4)), values[2:4])
    assert torch.equal(take_rows(values[2:4], slice(2, 4)), values[2:4])


def test_video_latents_run_as_flat_ones_do():
    flat = rollouts_of(mixture(), 2)(schedule(), slice(0, 2))
    video = rollouts_of(Rowless(mixture()), 2, shape=(1, 3, 2, 2))(schedule(), slice(0, 2))
    assert torch.equal(flat.end, video.end.flatten(1))


def test_every_call_counts_the_rows_it_held():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 4)
    rollouts(schedule(), slice(0, 3))
    rollouts(schedule(), slice(3, 4))
    assert rollouts.budget.rows_evaluated == model.rows == 4 * STEPS


def test_an_interrupt_acts_before_the_next_call():
    model = Counted(mixture())
    rollouts = rollouts_of(model, 2)

    def stop(done, total, message):
        raise InterruptedError

    rollouts.budget = Budget(2, 1e9, progress=stop)
    with pytest.raises(InterruptedError):
        rollouts(schedule(), slice(0, 2))
    assert model.calls == 1


def test_the_callers_sampler_is_given_the_sigmas_as_they_are():
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen.append(sigmas)
        return own_sampler("euler")(model, x, sigmas)

    rollouts_of(mixture(), 2, sampler=sampler)(schedule(), slice(0, 2))
    assert torch.equal(seen[0], schedule())


def test_an_output_that_records_leave_out_is_asked_for_once_and_by_those_who_need_it(tmp_path):
    """What two further runs need of a recorded one, and what its own beginning shares with a recorded one before it."""
    rows, answer = slice(0, 4), torch.ones(1, 4, dtype=torch.float64)
    last, inner = moved(schedule(), STEPS - 1), moved(schedule(), STEPS - 2)

    def runs(model, journal) -> Iterator[Any]:
        rollouts = replace(rollouts_of(model, 4), journal=journal)
        first = rollouts(schedule(), rows)
        second = rollouts(last, rows, first)
        spent = rollouts.budget.spent
        yield None
        ends = [rollouts(inner, rows, second).end, rollouts(moved(inner, STEPS - 1), rows, second).end]
        yield ends, rollouts.budget.spent - spent

    uninterrupted = runs(mixture(), None)
    next(uninterrupted)
    ends, spent = next(uninterrupted)
    model, book = Counted(mixture()), Journal.open(tmp_path, "killed", answer)
    next(runs(model, book))
    book.close()
    model.calls, book = 0, Journal.open(tmp_path, "killed", answer)
    resumed = runs(model, book)
    next(resumed)
    assert model.calls == 0
    again, again_spent = next(resumed)
    book.close()
    assert all(torch.equal(one, other) for one, other in zip(again, ends))
    assert again_spent == spent
    # Two runs from the second sigma but last on, and the calls before it once.
    assert model.calls == 2 + 2 + (STEPS - 2)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_run_killed_behind_what_it_shares_asks_for_no_call_twice(tmp_path, slow_calls, forgotten):
    """What they share is on record as long as the run before holds it, what is its own from where it parted on."""
    rows, answer, parted = slice(0, 4), torch.ones(1, 4, dtype=torch.float64), STEPS - 3
    clean = rollouts_of(mixture(), 4)
    end = clean(moved(schedule(), parted), rows, clean(schedule(), rows)).end

    def run(model) -> torch.Tensor:
        book = Journal.open(tmp_path, "killed", answer)
        rollouts = replace(rollouts_of(model, 4), journal=book)
        try:
            base = rollouts(schedule(), rows)
            if forgotten:
                base.forget()
            return rollouts(moved(schedule(), parted), rows, base).end
        finally:
            book.close()

    done = STEPS + (parted if forgotten else 0) + 2
    with pytest.raises(Interrupted):
        run(Counting(done))
    rest = Counting()
    assert torch.equal(run(rest), end)
    own = STEPS - parted
    assert rest.calls == own - 2
