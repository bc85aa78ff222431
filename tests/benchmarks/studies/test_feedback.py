"""The feedback benchmark on its analytic case: what it compares is what it says."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.studies.feedback import (
    SHARES,
    analytic_case,
    capped_ratios,
    map_row,
    rank_correlation,
    refine_row,
)
from sigmasmith.schedules.feedback.capped import sample_capped_2m
from sigmasmith.schedules.samplers.by_name import own_sampler


def test_the_analytic_ends_are_exact():
    case = analytic_case()
    fine = own_sampler("dpmpp_2m")(case.model, case.x, case.sigmas("karras", 300))
    assert case.error(fine) < 5e-3 * float(case.end.std())


def test_capped_2m_is_2m_where_steps_do_not_grow_and_less_where_they_do():
    case = analytic_case()
    even = torch.cat([torch.logspace(1.16, -1.5, 12), torch.zeros(1)])
    plain = own_sampler("dpmpp_2m")
    torch.testing.assert_close(
        sample_capped_2m(case.model, case.x, even), plain(case.model, case.x, even), rtol=1e-4, atol=1e-4
    )
    growing = torch.tensor([14.6, 14.0, 10.0, 1.0, 0.0])
    assert not torch.equal(sample_capped_2m(case.model, case.x, growing), plain(case.model, case.x, growing))


def test_refining_is_compared_at_equal_model_calls():
    *refined, longer, changed = refine_row(analytic_case(), "euler", "beta", 8)
    assert len(refined) == len(SHARES)
    assert all(0.0 < each < 1.0 for each in [*refined, longer])
    assert 0.2 < changed < 0.6


def test_a_map_of_independent_pixels_ranks_them_nearly_right():
    pixels, images, size = (float(value) for value in map_row(analytic_case()).split())
    assert pixels > 0.8
    assert images > 0.8
    assert 0.5 < size < 2.0


def test_capped_ratios_cover_every_step_count_and_schedule():
    assert len(capped_ratios(analytic_case())) == 8


def test_rank_correlation_is_of_ranks():
    values = torch.tensor([1.0, 5.0, 2.0, 9.0])
    assert rank_correlation(values, values**3) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)
