"""The pictures of the examples: one for each, small, and of the pack's own runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image
from sigmasmith.benchmarks.zoo.before_after import EXAMPLES, Scene, compared
from sigmasmith.benchmarks.zoo.example_picture import Strip, example_picture

ROOT = Path(__file__).resolve().parents[3]


def test_every_example_has_a_picture():
    assert {file.stem for file in (ROOT / "example_workflows").glob("*.json")} == set(EXAMPLES)


@pytest.mark.slow
def test_a_comparison_is_a_small_jpeg_of_runs_that_differ():
    scene = Scene("clipart_latent_eps", 3.0, 6)
    as_set, ours, fine = scene.as_set(4), scene.family(4), scene.fine(4)
    assert not torch.equal(as_set, ours)
    assert (ours - fine).norm() < (as_set - fine).norm()
    data = compared(scene)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.width) == ("JPEG", 400)
    assert len(data) < 40_000


def test_noises_that_are_shown_later_are_those_of_a_longer_row():
    first, later = Scene("digits_eps", 3.0, 3), Scene("digits_eps", 3.0, 3, first=2)
    assert torch.allclose(first.as_set(4)[2:], later.as_set(2), atol=1e-5)


def test_images_lie_below_their_words_and_one_may_be_framed():
    picture = Image.open(
        io.BytesIO(example_picture([Strip("many", torch.zeros(12, 1, 8, 8), 3), Strip("one", torch.ones(1, 3, 4, 4))]))
    )
    assert picture.width == 400
    assert picture.height > 200
