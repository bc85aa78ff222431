"""Fine and coarse detail: what a radial weight keeps, raises and leaves out."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.frequencies import fine_part, frequency_weighted, has_detail


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def size(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


@pytest.mark.parametrize("high", [0.1, 0.5, 3.0, 20.0])
def test_white_noise_keeps_its_size_and_a_weight_of_one_changes_nothing(high):
    values = noise(64, 3, 16, 16)
    assert size(frequency_weighted(values, high)) == pytest.approx(size(values), rel=0.02)
    assert frequency_weighted(values, 1.0) is values


def test_the_finest_detail_counts_as_many_times_as_was_asked():
    flat = torch.ones(1, 1, 8, 8)
    board = flat * torch.tensor([1.0, -1.0]).repeat(4)
    for high in (0.25, 4.0):
        ratio = size(frequency_weighted(board, high)) / size(frequency_weighted(flat, high))
        assert ratio == pytest.approx(high, rel=1e-4)


def test_the_weight_is_linear_so_that_slopes_of_an_error_stay_slopes():
    one, other = noise(2, 4, 9, 7), noise(3, 4, 9, 7)[1:]
    whole = frequency_weighted(one + 2.0 * other, 5.0)
    torch.testing.assert_close(whole, frequency_weighted(one, 5.0) + 2.0 * frequency_weighted(other, 5.0))


def test_fine_detail_and_the_rest_add_up_and_a_gradient_has_none():
    values = noise(2, 1, 3, 16, 16)  # a video's
    fine = fine_part(values)
    assert size(values) ** 2 == pytest.approx(size(fine) ** 2 + size(values - fine) ** 2, rel=1e-4)
    wave = torch.sin(2.0 * torch.pi * torch.arange(16) / 16).expand(1, 1, 16, 16)
    assert size(fine_part(wave)) < 1e-6


def test_plain_vectors_have_no_frequencies_and_pictures_sounds_and_videos_have():
    assert not has_detail((12,))
    assert not has_detail((4, 1, 1))
    assert all(has_detail(shape) for shape in ((4, 8, 8), (64, 100), (16, 3, 8, 8)))
