"""The embedded estimate: its formula, its order, what it finds, and what it refuses."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.schedules.feedback.estimate import (
    KAPPA,
    RunRecord,
    normalised,
    observed,
    root_mean_square,
    worst_region,
)
from sigmasmith.schedules.samplers.by_name import own_sampler

from .models import SIGMA_MAX, easy_and_hard, first_pass, sigmas, start


def test_squares_are_weighted_means_over_channels_of_the_formula():
    record = RunRecord()
    outputs = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    for sigma, denoised in zip([8.0, 4.0, 1.0], outputs):
        record.add(sigma, denoised, denoised)
    record.finish(0.5)
    h, h_old = math.log(2.0), math.log(4.0)
    want = 0.5 * h / (2.0 * h_old) * (outputs[2] - outputs[1])
    torch.testing.assert_close(record.squares[2], want.square().mean(dim=1))  # at sigma_min the weight is 1
    first = 0.5 * (1.0 - 4.0 / 8.0) * (outputs[1] - outputs[0])
    weight = (0.5 / 4.0) ** (1.0 - KAPPA)
    torch.testing.assert_close(record.squares[0], (weight * first).square().mean(dim=1))
    torch.testing.assert_close(record.map(), torch.stack(record.squares).sum(dim=0).sqrt())


def test_the_embedded_estimate_equals_2m_minus_euler_on_a_real_step():
    model, _ = easy_and_hard()
    levels = torch.tensor([10.0, 6.0, 3.0, 0.0], dtype=torch.float64)
    states: list[torch.Tensor] = []

    def keep(info):
        states.append(info["x"])

    own_sampler("dpmpp_2m")(model, start(), levels, callback=keep)
    record = RunRecord()
    for sigma, x in zip(levels[:2].tolist(), states):
        record.add(sigma, x, model(x, torch.full((2,), sigma).double()))
    record.finish(3.0)
    euler = states[1] + (3.0 - 6.0) * (states[1] - model(states[1], torch.full((2,), 6.0).double())) / 6.0
    torch.testing.assert_close(record.squares[1].sqrt(), (states[2] - euler).abs()[:, 0].float(), rtol=1e-4, atol=1e-6)


def test_observing_changes_nothing_and_records_every_step():
    model, _ = easy_and_hard()
    for name in ("euler", "dpmpp_2m", "heun"):
        sampler = own_sampler(name)
        record = RunRecord(keep_states=True)
        seen: list[int] = []
        end = observed(sampler, record)(
            model, start(), sigmas(7), callback=lambda info, seen=seen: seen.append(info["i"])
        )
        assert torch.equal(end, sampler(model, start(), sigmas(7)))
        assert seen == list(range(7))
        assert len(record.levels) == len(record.squares) == len(record.states) == 7
        assert record.levels == pytest.approx(sigmas(7)[:-1].tolist())
        assert torch.equal(record.states[0], start().float())


def test_halving_the_steps_divides_a_smooth_runs_estimate_by_about_n_to_the_1_5():
    model, _ = easy_and_hard()
    totals = []
    for steps in (40, 80, 160):
        record = RunRecord()
        # To sigma 0.5 and not to 0: the last step of a list that ends in 0 does not shrink with the others.
        observed(own_sampler("euler"), record)(model, start(), sigmas(steps, low=0.5)[:-1])
        totals.append(float(root_mean_square(record.map()).mean()))
    for coarse, fine in pairwise(totals):
        assert math.log2(coarse / fine) == pytest.approx(1.5, abs=0.15)


def test_the_map_ranks_pixels_as_the_true_error_does():
    model, exact = easy_and_hard()
    run = first_pass(model, start(), sigmas(10), own_sampler("euler"))
    error = (run.end - exact(start())).abs()[:, 0]
    guess = run.record.map()
    assert float(guess[..., 4:].mean()) > 3.0 * float(guess[..., :4].mean())
    assert float(error[..., 4:].mean()) > 3.0 * float(error[..., :4].mean())
    ratio = float(root_mean_square(guess).mean() / root_mean_square(error).mean())
    assert 0.2 < ratio < 5.0


def test_a_batch_changes_nothing():
    model, _ = easy_and_hard()
    together = first_pass(model, start(3), sigmas(6), own_sampler("dpmpp_2m")).record.map()
    alone = first_pass(model, start(3)[1:2], sigmas(6), own_sampler("dpmpp_2m")).record.map()
    torch.testing.assert_close(together[1:2], alone, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(normalised(together)[0][1:2], normalised(alone)[0])
    assert torch.equal(worst_region(together, 0.3)[1:2], worst_region(alone, 0.3))


def test_a_restart_forgets_the_history():
    record = RunRecord()
    for sigma in (4.0, 1.0, 4.0, 1.0):
        record.add(sigma, torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), sigma))
    record.finish(0.0)
    assert float(record.squares[1].sum()) == 0.0  # upwards: no step of the solver
    weight = (1.0 / 1.0) ** (1.0 - KAPPA)
    want = 0.5 * (1.0 - 1.0 / 4.0) * 3.0 * weight
    assert float(record.squares[2].max().sqrt()) == pytest.approx(want)


def test_one_step_says_nothing():
    record = RunRecord()
    record.add(SIGMA_MAX, torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))
    record.finish(0.0)
    assert float(record.map().max()) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_named_with_the_sigma(bad):
    run = observed(own_sampler("euler"), RunRecord())
    with pytest.raises(ValueError, match=r"model: it returned NaN or infinity at sigma 14\.6"):
        run(lambda x, *_, **__: x * bad, start(), sigmas(4))


@given(st.floats(0.01, 1.0), st.integers(0, 1000))
def test_a_region_holds_its_share_and_at_most_nine_times_it(share, seed):
    error = torch.rand(2, 12, 9, generator=torch.Generator().manual_seed(seed))
    region = worst_region(error, share)
    assert set(region.unique().tolist()) <= {0.0, 1.0}
    count = math.ceil(share * 12 * 9)
    for values, chosen in zip(error.flatten(1), region.flatten(1)):
        assert count <= int(chosen.sum()) <= 9 * count
        assert bool(chosen[values.topk(count).indices].all())


def test_a_region_stays_where_it_is_allowed_in_every_frame():
    error = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    allowed = torch.zeros(1, 3, 6, 6)
    allowed[:, 1:, 2:5] = 1.0
    region = worst_region(error, 0.3, allowed)
    assert float((region * (1.0 - allowed)).sum()) == 0.0
    assert float(region.sum()) > 0.0
    assert torch.equal(worst_region(error, 1.0, allowed), allowed)
    assert float(worst_region(error, 0.3, torch.zeros_like(error)).sum()) == 0.0


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, math.nan])
def test_a_share_outside_its_range_is_named(share):
    with pytest.raises(ValueError, match="share must be above 0 and at most 1"):
        worst_region(torch.ones(1, 2, 2), share)


def test_the_mean_over_a_region_counts_only_its_pixels():
    error = torch.tensor([[[3.0, 1.0], [4.0, 1.0]]])
    region = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert float(root_mean_square(error, region)) == pytest.approx(math.sqrt(12.5))
    assert float(root_mean_square(error, torch.zeros_like(region))) == 0.0


def test_normalised_maps_fill_the_range_of_each_image():
    error = torch.rand(2, 20, 20, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0]).reshape(
        2, 1, 1
    )
    share, top = normalised(error)
    assert float(share.min()) >= 0.0
    assert share.flatten(1).max(dim=1).values.tolist() == [1.0, 1.0]
    assert top[1] > 50.0 * top[0]
    assert float(normalised(torch.zeros(1, 4, 4))[0].max()) == 0.0
