"""The recursive search stays under a limit that is known before its first model call."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.fitting.refine.oss_cost import oss_evaluations

from ..fits import Counted, mixture, normal, small_fit


@pytest.mark.parametrize(("effort", "whole"), [("fast", 0), ("fast", 8), ("balanced", 0)])
@pytest.mark.parametrize("steps", [(1,), (5,), (20,), (5, 8, 10, 20)])
@pytest.mark.slow
def test_a_fit_by_the_recursive_search_stays_under_its_limit(effort, whole, steps):
    model, totals = Counted(mixture(), whole), []
    fit = small_fit(
        model,
        normal(8),
        steps=steps,
        effort=effort,
        method="oss",
        progress=lambda done, total, message: totals.append((done, total)),
    )
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= totals[0][1] + 0.5  # as the very first call announced it
    assert fit.nfe >= 0.4 * totals[0][1]  # not known yet: whether rows can run alone
    assert {total for _, total in totals} == {totals[0][1]}


@pytest.mark.parametrize(("nodes", "steps"), [(40, (5,)), (40, (20,)), (48, (5, 8, 10, 20))])
def test_its_evaluations_are_about_half_of_nodes_times_steps(nodes, steps):
    assert 0.25 * nodes * max(steps) < oss_evaluations(nodes, steps) < 0.75 * nodes * max(steps)


def test_without_the_corridor_every_state_that_can_be_reached_counts():
    assert oss_evaluations(10, (1,)) == 1
    assert oss_evaluations(10, (2,), corridor=False) == 1 + 9
    assert oss_evaluations(10, (3,), corridor=False) == 1 + 8 + 8
