"""Errors of end states: per sample, geometric mean, mode switches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.core.metrics import geometric_mean, mode_switches, sample_errors

from ..fitting.fits import normal


def test_a_samples_error_is_the_rmse_over_all_its_values():
    reference = normal(3, 2, 4)
    end = reference.clone()
    end[1] += 0.5
    end[2, 0, 0] += 2.0
    assert sample_errors(end, reference).tolist() == pytest.approx([0.0, 0.5, (4 / 8) ** 0.5], abs=1e-6)


@given(errors=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=20), scale=st.floats(1e-2, 1e2))
def test_the_geometric_mean_scales_with_its_errors_and_lies_between_them(errors, scale):
    values = torch.tensor(errors, dtype=torch.float64)
    mean = geometric_mean(values)
    assert min(errors) * 0.999999 <= mean <= max(errors) * 1.000001
    assert geometric_mean(scale * values) == pytest.approx(scale * mean)


def test_a_perfect_sample_does_not_make_the_mean_zero_or_nan():
    assert geometric_mean(torch.tensor([0.0, 1.0], dtype=torch.float64)) > 0.0


def test_a_sample_that_ends_nearer_to_a_stranger_is_a_mode_switch():
    reference = normal(6, 16)
    end = reference + 0.05 * normal(6, 16, seed=1)
    assert mode_switches(end, reference) == 0
    end[0], end[3] = reference[1], reference[2]
    assert mode_switches(end, reference) == 2


def test_one_sample_has_no_strangers():
    assert mode_switches(normal(1), normal(1, seed=1)) == 0


def test_errors_do_not_depend_on_the_other_samples():
    end, reference = normal(4), normal(4, seed=1)
    assert torch.equal(sample_errors(end, reference)[1:3], sample_errors(end[1:3], reference[1:3]))
