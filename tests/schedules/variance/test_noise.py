"""Noise with a seed per row, and the path that all step counts share."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.variance.noise import NoiseKind, NoiseSource, row_seeds

LIKE = torch.zeros(2, 4, 32, 32)
KINDS: tuple[NoiseKind, ...] = ("white", "path")


def drawn(kind: NoiseKind, seeds: tuple[int, ...] = (5, 9), like: torch.Tensor = LIKE, flow: bool = False):
    return NoiseSource(kind, seeds).start(like, 0, flow=flow)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 32, 32), (4, 3, 8, 8), (6,)])
def test_a_row_is_the_same_alone_and_in_a_batch(kind, shape):
    batch = drawn(kind, (5, 9, 2), torch.zeros(3, *shape))
    alone = drawn(kind, (9,), torch.zeros(1, *shape))
    for step in ((14.6, 3.0), (3.0, 1.0), (1.0, 0.4)):
        assert torch.equal(batch(*step)[1:2], alone(*step))
    assert torch.equal(batch.fresh()[1:2], alone.fresh())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flow", [False, True])
def test_noise_is_standard_normal_and_steps_are_independent(kind, flow):
    noise = drawn(kind, like=torch.zeros(4, 4, 64, 64), flow=flow)
    levels = (1.0, 0.7, 0.4, 0.2, 0.1, 0.02) if flow else (14.6, 7.0, 3.0, 1.0, 0.3, 0.03)
    steps = [noise(a, b).double() for a, b in pairwise(levels)]
    bound = 4.0 / steps[0].numel() ** 0.5
    for value in steps:
        assert abs(float(value.mean())) < bound
        assert float(value.std()) == pytest.approx(1.0, abs=bound)
        assert float((value**4).mean()) == pytest.approx(3.0, abs=10.0 * bound)
    for one, other in pairwise(steps):
        assert abs(float((one * other).mean())) < bound


@pytest.mark.parametrize("flow", [False, True])
def test_the_noise_of_a_long_step_is_that_of_its_parts(flow):
    levels = (0.9, 0.6, 0.45, 0.2) if flow else (9.0, 4.0, 2.5, 1.0)
    clock = [((1.0 - s) / s) ** 2 if flow else s**-2.0 for s in levels]
    whole = drawn("path", flow=flow)(levels[0], levels[-1]) * (clock[-1] - clock[0]) ** 0.5
    noise = drawn("path", flow=flow)
    parts = sum(noise(a, b) * (end - start) ** 0.5 for a, b, start, end in zip(levels, levels[1:], clock, clock[1:]))
    assert torch.allclose(whole, torch.as_tensor(parts), atol=1e-3 * float(whole.std()))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_other_seeds_give_other_noise(one, other):
    like = torch.zeros(1, 8)
    same = torch.equal(drawn("white", (one,), like).fresh(), drawn("white", (other,), like).fresh())
    assert same == (one == other)


def test_seeds_that_differ_far_up_and_the_hosts_own_noise_do_not_come_back():
    like = torch.zeros(1, 16)
    first = drawn("white", (7,), like).fresh()
    assert not torch.equal(first, drawn("white", (7 + 2**32,), like).fresh())
    assert not torch.equal(first, torch.randn(1, 16, generator=torch.Generator().manual_seed(7)))


def test_rows_beyond_the_list_count_on():
    assert row_seeds((7, 3), 4) == [7, 3, 4, 5]
    assert row_seeds((7, 3), 1) == [7]
    many = NoiseSource("white").start(LIKE, 11, flow=False)
    assert torch.equal(many.fresh(), drawn("white", (11, 12)).fresh())


def test_noise_has_the_states_type_and_draws_again_the_same():
    half = torch.zeros(2, 4, 8, 8, dtype=torch.float16)
    for kind in KINDS:
        noise = drawn(kind, like=half)
        assert noise(2.0, 1.0).dtype == torch.float16
        assert torch.equal(drawn(kind, like=half)(2.0, 1.0), drawn(kind, like=half)(2.0, 1.0))
