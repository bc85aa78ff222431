"""A comparison as it runs: its references, its cells, what is counted, and what breaks down."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sigmasmith.schedules.comparison.comparison import SOLUTION
from sigmasmith.schedules.comparison.running import CellRun, CellRunner
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.samplers.by_name import own_sampler
from torch import Tensor

from ..fitting.fits import mixture, normal

LOW, HIGH, ROWS = 0.03, 15.0, 4


class StopError(Exception):
    """The person's Interrupt."""


def cell(sampler: str = "euler", steps: int = 6, **changed: Any) -> CellRun:
    inputs: dict[str, Any] = {
        "sampler": sampler,
        "schedule": "karras",
        "sigmas": karras_sigmas(steps, LOW, HIGH),
        "function": own_sampler("euler"),
    }
    return CellRun(**(inputs | changed))


def runner(*cells: CellRun, told: list[tuple[int, int, str]] | None = None, **changed: Any) -> CellRunner:
    run = DirectRun(mixture(), normal(ROWS) * HIGH, {}, HIGH)
    inputs: dict[str, Any] = {"progress": lambda *said: None if told is None else told.append(said)}
    inputs |= {"passes": lambda error: isinstance(error, StopError)}
    return CellRunner(run, cells, ROWS, SigmaRange(LOW, HIGH, False), 40, **(inputs | changed))


def raising(error: Exception) -> Any:
    def sample(model: Any, x: Tensor, sigmas: Tensor, **_: Any) -> Tensor:
        model(x, sigmas[0] * x.new_ones(len(x)))
        raise error

    return sample


def test_errors_fall_with_the_steps_and_every_call_is_counted():
    told: list[tuple[int, int, str]] = []
    result = runner(*(cell(steps=steps) for steps in (5, 20, 80)), told=told).result()
    coarse, middle, fine = (done.error for done in result.cells)
    assert fine < 0.5 * middle < 0.25 * coarse
    assert [done.calls for done in result.cells] == [5.0, 20.0, 80.0]
    assert result.targets[SOLUTION].converged
    total = 5 + 20 + 80 + 40 + 20
    assert [calls for calls, _, _ in told] == list(range(1, total + 1))
    assert {of for _, of, _ in told} == {total}
    assert told[0][2] == "reference"
    assert told[-1][2] == "euler with karras, 80 steps"


def test_samplers_without_noise_share_one_reference_and_each_other_has_its_own():
    cells = [cell(), cell("heun"), cell("noisy", noisy=True)]
    result = runner(*cells).result()
    assert list(result.targets) == [SOLUTION, "noisy itself on its noise path"]
    assert [done.target for done in result.cells] == [SOLUTION, SOLUTION, "noisy itself on its noise path"]


def test_the_end_states_of_as_many_rows_as_asked_for_are_kept():
    result = runner(cell(), kept=2).result()
    assert result.ends["euler", "karras", 6].shape == (2, *normal(ROWS).shape[1:])
    assert result.target_ends[SOLUTION].shape[0] == 2
    whole = runner(cell()).result()
    assert torch.equal(whole.ends["euler", "karras", 6][:2], result.ends["euler", "karras", 6])


def test_a_run_that_breaks_down_is_a_result_and_the_others_stand():
    broken = cell("broken", function=raising(RuntimeError("no such layer")))
    half = cell("half", function=lambda model, x, sigmas, **_: x[:1])
    result = runner(broken, half, cell()).result()
    first, second, third = result.cells
    assert (first.failed, first.error) == ("RuntimeError: no such layer", float("inf"))
    assert second.failed.startswith("ValueError: it returned the shape (1,")
    assert not third.failed
    assert list(result.ends) == [("euler", "karras", 6)]


@pytest.mark.parametrize("error", [StopError(), MemoryError()])
def test_an_interrupt_and_the_end_of_the_memory_end_the_comparison(error):
    with pytest.raises(type(error)):
        runner(cell("broken", function=raising(error)), cell()).result()


def test_calls_made_before_it_begins_count_towards_the_progress():
    told: list[tuple[int, int, str]] = []
    running = runner(cell(), told=told)
    running.message = "self-test"
    running.called(ROWS)
    assert told == [(1, 66, "self-test")]
