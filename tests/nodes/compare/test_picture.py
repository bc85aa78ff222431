"""The table of a comparison."""

from __future__ import annotations

import torch
from sigmasmith.nodes.compare.picture import table_image
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
