"""Sketches keep what fits need of large latents: inner products, sums and identity."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.fitting.sketch import Sketch

from .fits import normal


def test_small_latents_pass_through_unchanged():
    x = normal(3, 4, 5)
    assert torch.equal(Sketch(20, 20)(x), x.flatten(1).double())


def test_a_sketch_keeps_squared_norms_and_inner_products():
    x, y = normal(16, 4, 32, 32), normal(16, 4, 32, 32, seed=1)
    y = y + x
    a, b = Sketch(4096, 512)(x), Sketch(4096, 512)(y)
    whole = (x * y).flatten(1).double().sum(1)
    assert a.shape == (16, 512)
    assert float(((a * b).sum(1) / whole).mean()) == pytest.approx(1.0, abs=0.05)
    assert float(((a * b).sum(1) / whole - 1.0).abs().max()) < 0.35


def test_sketches_add_as_states_do():
    x, y, sketch = normal(2, 4096), normal(2, 4096, seed=1), Sketch(4096, 512)
    assert torch.allclose(sketch(2.0 * x - y), 2.0 * sketch(x) - sketch(y), atol=1e-4)


def test_the_draw_is_fixed_by_the_seed_alone():
    x = normal(2, 4096)
    torch.manual_seed(1)
    first = Sketch(4096, 512)(x)
    torch.manual_seed(2)
    assert torch.equal(first, Sketch(4096, 512)(x))
    assert not torch.equal(first, Sketch(4096, 512, seed=1)(x))


def test_a_row_is_sketched_alike_alone_and_in_a_batch():
    x, sketch = normal(4, 4096), Sketch(4096, 512)
    assert torch.equal(sketch(x)[2:3], sketch(x[2:3]))


def test_a_change_of_any_single_value_shows():
    x, sketch = normal(1, 1024), Sketch(1024, 512)
    before = sketch(x)
    for place in range(1024):
        moved = x.clone()
        moved[0, place] += 1e-4
        assert not torch.equal(before, sketch(moved))


def test_making_and_using_a_sketch_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    Sketch(4096, 512)(normal(1, 4096))
    assert torch.equal(before, torch.get_rng_state())
