"""The plot that Fit gives out."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.nodes import plot_picture as _picture
from sigmasmith.schedules.hosting.named_curves import CURVES

RED = torch.tensor(_picture.FITTED) / 255.0


def plots(*counts: int, low: float = 0.03, high: float = 14.6):
    hosts = ("exponential", "laplace", "beta", "vp")
    return [
        (f"{n} steps", CURVES["karras"](n, low, high), {name: CURVES[name](n, low, high) for name in hosts})
        for n in counts
    ]


def test_one_picture_per_step_count_in_the_hosts_image_layout():
    images = _picture.plot_images(plots(5, 20))
    assert images.shape == (2, _picture.HEIGHT, _picture.WIDTH, 3)
    assert images.dtype == torch.float32
    assert float(images.min()) >= 0.0
    assert float(images.max()) <= 1.0
    assert float(images[:, 0, 0].min()) == 1.0  # white paper in the corner


@pytest.mark.parametrize(("steps", "high"), [(1, 14.6), (2, 1.0), (300, 14.6), (5, 1.0)])
def test_the_fitted_curve_is_drawn_over_the_others_at_any_step_count(steps, high):
    (image,) = _picture.plot_images(plots(steps, low=0.003, high=high))
    near_red = ((image - RED).abs() < 0.1).all(dim=-1)
    inside = near_red[_picture.TOP : -_picture.BOTTOM, _picture.LEFT : -_picture.RIGHT]
    assert int(inside.sum()) > 200
    columns = inside.any(dim=0)
    assert bool(columns[3]) or steps == 1
    assert float(columns.float().mean()) > 0.95  # unbroken from the first step to the last


def test_many_host_schedules_and_none_are_both_fine():
    sigmas = CURVES["karras"](5, 0.03, 14.6)
    many = {f"schedule number {i} with a long name": CURVES["karras"](5, 0.03, 14.6, rho=1.0 + i) for i in range(12)}
    assert _picture.plot_images([("many", sigmas, many), ("none", sigmas, {})]).shape[0] == 2
