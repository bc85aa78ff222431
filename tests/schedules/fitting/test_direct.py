"""Runs without a host: whether a denoiser takes part of its batch is found out, not assumed."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.direct import DirectRun

from .fits import Counted, mixture, normal

PARTS = [slice(0, 4), slice(4, 6)]
SIGMA = 1.5


def tried(model, extra_args=None) -> tuple[DirectRun, Budget]:
    extra_args = extra_args or {}
    state = SIGMA * normal(6, seed=2)
    output = model(state, torch.full((6,), SIGMA), **extra_args)
    run, budget = DirectRun(model, 10.0 * normal(6), extra_args), Budget(6, 1e9)
    run.try_splitting(SIGMA, state, output, PARTS, budget)
    return run, budget


def test_a_denoiser_of_independent_rows_is_split():
    run, budget = tried(mixture())
    assert run.splits
    assert budget.rows_evaluated == 6


def test_before_it_is_tried_the_whole_batch_runs():
    assert not DirectRun(mixture(), normal(6), {}).splits


def test_a_denoiser_that_fails_on_part_of_the_batch_is_not_split():
    model = Counted(mixture(), whole=6)
    run, budget = tried(model)
    assert not run.splits
    assert budget.rows_evaluated == model.rows - 6 == 0


def test_a_denoiser_with_conditioning_of_its_own_per_row_is_not_split():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])

    def model(x, sigma):
        return mixture(cfg=3.0)(x, sigma, labels=labels[: len(x)])

    assert not tried(model)[0].splits  # the held-out rows would get the first rows' labels


def test_one_row_with_conditioning_of_its_own_is_enough_not_to_split():
    state, offsets = SIGMA * normal(16), torch.zeros(16)
    offsets[15] = 0.1 * float(mixture()(state, torch.full((16,), SIGMA)).std())

    def model(x, sigma):
        return mixture()(x, sigma) + offsets[: len(x), None]

    run = DirectRun(model, 10.0 * normal(16), {})
    output = model(state, torch.full((16,), SIGMA))
    run.try_splitting(SIGMA, state, output, [slice(0, 8), slice(8, 16)], Budget(16, 1e9))
    assert not run.splits


def test_a_denoiser_that_looks_at_the_whole_batch_is_not_split():
    assert not tried(lambda x, sigma: x - x.mean(dim=0))[0].splits


def test_a_denoiser_that_returns_another_shape_for_a_part_is_not_split():
    assert not tried(lambda x, sigma: x.repeat(6 // len(x) if 6 % len(x) == 0 else 2, 1))[0].splits


def test_rounding_differences_do_not_prevent_splitting():
    def model(x, sigma):
        return mixture()(x, sigma) + 1e-4 * len(x)

    assert tried(model)[0].splits


@pytest.mark.parametrize("kind", ["tensor", "list", "tuple", "nested"])
def test_entries_of_extra_args_follow_their_rows(kind):
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    packed = {
        "tensor": {"c": labels},
        "list": {"c": labels.tolist()},
        "tuple": {"c": tuple(labels.tolist())},
        "nested": {"c": {"deep": {"er": labels}, "name": "abcdef", "scale": torch.tensor(2.0)}},
    }[kind]

    def model(x, sigma, c):
        if kind == "nested":
            assert c["name"] == "abcdef"
            assert float(c["scale"]) == 2.0
            c = c["deep"]["er"]
        given = torch.as_tensor(c)
        assert len(given) == len(x)
        return mixture(cfg=3.0)(x, sigma, labels=given)

    run, _ = tried(model, packed)
    assert run.splits
    seen = []

    def sampler(model, x, sigmas, *, extra_args, **_):
        c = extra_args["c"]
        seen.append(torch.as_tensor(c["deep"]["er"] if kind == "nested" else c))
        return x

    run(sampler, torch.tensor([1.0, 0.0]), slice(4, 6))
    assert seen[0].tolist() == [1, 2]


def test_values_of_another_length_go_to_every_part_unchanged():
    text = torch.zeros(3, 7)

    def model(x, sigma, text, flags):
        assert text.shape == (3, 7)
        assert flags == [1, 2]
        return mixture()(x, sigma)

    assert tried(model, {"text": text, "flags": [1, 2]})[0].splits


def test_a_sampler_cannot_change_the_start_state():
    run = DirectRun(mixture(), normal(6), {})
    run(lambda model, x, sigmas, **_: x.zero_(), torch.tensor([1.0, 0.0]), slice(0, 6))
    assert torch.equal(run.x, normal(6))


def test_a_sampler_cannot_change_the_callers_arguments():
    given = {"scale": 1.0}
    run = DirectRun(mixture(), normal(6), given)

    def sampler(model, x, sigmas, extra_args, **_):
        extra_args["scale"] = 2.0
        return x

    run(sampler, torch.tensor([1.0, 0.0]), slice(0, 6))
    assert given == {"scale": 1.0}
