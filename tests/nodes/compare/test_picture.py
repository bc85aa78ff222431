"""The pictures of a comparison."""

from __future__ import annotations

import torch
from sigmasmith.nodes.compare.picture import image_grid, notice_image, table_image
from sigmasmith.schedules.comparison.comparison import SOLUTION, Cell, Comparison, Target


def comparison(count):
    cells = [
        Cell(
            "euler",
            f"schedule number {n} with a name that is too long",
            5 + n % 3,
            (n + 1.0) * torch.ones(4).double(),
            5,
        )
        for n in range(count)
    ]
    failed = Cell("heun", "broken", 5, torch.zeros(0), failed="NaN")
    return Comparison((*cells, failed), (0, 1, 2, 3), {SOLUTION: Target(100, 1e-6, True)})


def test_a_table_grows_with_its_cells_and_shows_every_one():
    small, large = table_image(comparison(2), ["A sentence."]), table_image(comparison(9), ["A sentence."])
    assert small.shape[0] == 1
    assert small.shape[3] == 3
    assert large.shape[1] - small.shape[1] == 7 * 28
    assert 0.0 <= float(large.min()) < 0.3
    assert float(large.max()) == 1.0


def test_a_long_sentence_is_wrapped():
    short, long = (table_image(comparison(2), [text]) for text in ("word", "word " * 80))
    assert long.shape[1] > short.shape[1]
    assert long.shape[2] == short.shape[2]


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
