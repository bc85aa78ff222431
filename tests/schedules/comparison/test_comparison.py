"""Who wins a comparison, and that nobody does where the seeds do not say so."""

from __future__ import annotations

import csv
import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.comparison.comparison import SOLUTION, Cell, Comparison, Target, error_interval, error_ratio
from sigmasmith.schedules.comparison.text import csv_text, report_text

SEEDS = (10, 11, 12, 13)
SPREAD = torch.tensor([1.0, 1.3, 0.8, 1.1], dtype=torch.float64)


def cell(schedule, factor, *, steps=10, sampler="euler", noise=None, calls=None, **fields):
    errors = factor * SPREAD * (noise if noise is not None else 1.0)
    return Cell(sampler, schedule, steps, errors, calls or steps, 0.1, **fields)


def comparison(*cells, converged=True, error=1e-6, own=(), **targets):
    known = {SOLUTION: Target(100, error, converged)} | {name: Target(100, 1e-6, True) for name in targets}
    return Comparison(tuple(cells), SEEDS, known, frozenset(own))


def test_a_ratio_cancels_what_a_seed_does_to_both():
    found = error_ratio(cell("a", 2.0), cell("b", 1.0))
    assert found.mean == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0)
    assert found.high == pytest.approx(2.0)


def test_an_interval_is_students_t_on_the_logarithms():
    errors = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    found = error_interval(Cell("euler", "a", 5, errors))
    half = 4.302653 * math.log(2.0) / math.sqrt(3.0)  # t for 2 degrees of freedom; logs are 0, 1, 2 times log 2
    assert found.mean == pytest.approx(2.0)
    assert found.high == pytest.approx(2.0 * math.exp(half), rel=1e-5)
    assert found.low == pytest.approx(2.0 / math.exp(half), rel=1e-5)


def test_one_seed_tells_nothing():
    found = error_ratio(Cell("s", "a", 5, torch.ones(1).double()), Cell("s", "b", 5, 9 * torch.ones(1).double()))
    assert found.low == 0.0
    assert found.high == math.inf


def test_a_clear_difference_has_a_winner():
    (verdict,) = comparison(cell("simple", 1.4), cell("karras", 1.0)).verdicts()
    assert verdict.clear
    assert verdict.leader.schedule == "karras"
    assert verdict.margin is not None
    assert verdict.margin.mean == pytest.approx(1.4)


def test_no_winner_is_named_within_the_noise():
    shaken = torch.tensor([1.4, 0.7, 1.3, 0.8], dtype=torch.float64)
    (verdict,) = comparison(cell("simple", 1.05, noise=shaken), cell("karras", 1.0)).verdicts()
    assert not verdict.clear
    assert len(verdict.equals) == 1
    said = report_text(comparison(cell("simple", 1.05, noise=shaken), cell("karras", 1.0)))
    assert "no winner" in said
    assert "is best" not in said


def test_equal_results_have_no_winner():
    (verdict,) = comparison(cell("simple", 1.0), cell("also_simple", 1.0)).verdicts()
    assert not verdict.clear


def test_a_difference_that_nobody_sees_is_none_however_sure():
    (verdict,) = comparison(cell("simple", 1.005), cell("karras", 1.0)).verdicts()
    assert not verdict.clear


def test_differences_below_what_the_reference_is_exact_to_have_no_winner():
    (verdict,) = comparison(cell("simple", 1.4e-4), cell("karras", 1e-4), error=1e-3).verdicts()
    assert not verdict.clear


def test_nothing_is_decided_against_a_reference_that_has_not_converged():
    found = comparison(cell("simple", 9.0), cell("preset", 1.0), converged=False, own=("preset",))
    assert list(found.verdicts()) == []
    assert list(found.gains()) == []
    said = report_text(found)
    assert "has not converged" in said
    assert "reference_steps" in said
    assert "is best" not in said


def test_a_cheaper_cell_may_win_against_a_dearer_one_but_not_the_other_way_round():
    dear = cell("karras", 0.5, sampler="heun", calls=19)
    cheap, cheaper = cell("karras", 1.0), cell("simple", 2.0)
    first, second = comparison(dear, cheap, cheaper).verdicts()
    assert (first.calls, first.leader) == (10, cheap)
    assert (second.calls, second.leader) == (19, dear)
    (only,) = comparison(cell("karras", 3.0, sampler="heun", calls=19), cheap, cheaper).verdicts()
    assert only.leader == cheap  # said once, for nothing dearer beats it


def test_cells_with_different_targets_are_not_held_against_each_other():
    noisy = [
        cell("karras", 9.0, sampler="dpmpp_sde", target="path"),
        cell("beta", 5.0, sampler="dpmpp_sde", target="path"),
    ]
    verdicts = list(comparison(cell("karras", 1.0), cell("simple", 2.0), *noisy, path=None).verdicts())
    assert [verdict.leader.schedule for verdict in verdicts] == ["karras", "beta"]


def test_gain_no_gain_and_a_loss_are_said_as_they_are():
    shaken = torch.tensor([1.2, 0.8, 1.1, 0.9], dtype=torch.float64)
    for factor, noise, words in ((0.5, None, "2.00 times closer than simple"), (1.0, shaken, "no gain shown")):
        said = report_text(comparison(cell("preset", factor, noise=noise), cell("simple", 1.0), own=("preset",)))
        assert words in said
    said = report_text(comparison(cell("preset", 2.0), cell("simple", 1.0), cell("beta", 3.0), own=("preset",)))
    assert "no gain. simple ends 2.00 times closer than preset" in said


def test_a_failed_cell_is_in_the_table_and_decides_nothing():
    broken = Cell("euler", "karras", 10, torch.zeros(0), failed="NaN at sigma 3")
    found = comparison(cell("simple", 1.0), broken)
    assert list(found.verdicts()) == []
    assert "failed: NaN at sigma 3" in report_text(found)


def test_csv_holds_every_seed():
    found = comparison(cell("a, b", 1.0), cell("simple", 2.0), Cell("euler", "c", 4, torch.zeros(0), failed="x"))
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [row["schedule"] for row in rows] == ["c", "a, b", "simple"]
    assert float(rows[2]["error_seed_11"]) == pytest.approx(2.6)
    assert rows[0]["failed"] == "x"
    assert rows[0]["error"] == ""


@given(
    st.lists(st.lists(st.floats(1e-6, 1e3), min_size=4, max_size=4), min_size=2, max_size=5),
    st.floats(1e-3, 1e3),
)
def test_verdicts_do_not_depend_on_the_unit_or_the_order(errors, unit):
    def leaders(scale, backwards):
        cells = [
            Cell("euler", str(number), 10, scale * torch.tensor(row, dtype=torch.float64), 10)
            for number, row in enumerate(errors)
        ]
        found = comparison(*(cells[::-1] if backwards else cells), error=0.0)
        return [(verdict.clear, verdict.leader.schedule if verdict.clear else "") for verdict in found.verdicts()]

    assert leaders(1.0, False) == leaders(unit, False) == leaders(1.0, True)


def test_chance_rarely_makes_a_winner():
    """Of comparisons between six equal schedules, at most one in twenty may name one."""
    generator = torch.Generator().manual_seed(0)
    clear = 0
    for _ in range(400):
        draws = torch.randn(6, 4, generator=generator, dtype=torch.float64).mul(0.2).exp()
        (verdict,) = comparison(*(Cell("euler", str(n), 10, row, 10) for n, row in enumerate(draws))).verdicts()
        clear += verdict.clear
    assert clear <= 20
