"""Pictures as one sheet."""

from __future__ import annotations

import torch
from sigmasmith.nodes.pictures.sheet import image_grid, notice_image


def test_a_grid_has_a_sheet_per_seed_and_leaves_missing_tiles_empty():
    red, blue = torch.zeros(40, 60, 3), torch.zeros(40, 60, 3)
    red[..., 0], blue[..., 2] = 1.0, 1.0
    sheets = image_grid(["a\n5 steps", "b"], ["x", "y"], {("a\n5 steps", "x"): [red, blue], ("b", "y"): [blue, red]})
    assert sheets.shape[0] == 2
    assert [bool((sheets[i] == torch.tensor([1.0, 0.0, 0.0])).all(-1).any()) for i in (0, 1)] == [True, True]
    left, right = sheets[0][:, :330], sheets[0][:, 330:]
    is_red, is_blue = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    assert int((left == is_red).all(-1).sum()) == int((right == is_blue).all(-1).sum()) == 40 * 60
    assert not bool((left == is_blue).all(-1).any())


def test_large_pictures_are_scaled_down_whole():
    sheet = image_grid(["a"], ["x"], {("a", "x"): [torch.zeros(1024, 512, 3)]})
    assert 288 <= sheet.shape[1] < 360


def test_a_notice_is_a_picture():
    assert notice_image("Connect vae.").shape == (1, 96, 640, 3)
