"""Inversion: back to the start, at the cost of the plain one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.calls import sample_euler
from sigmasmith.schedules.variance.ddim import sample_ddim
from sigmasmith.schedules.variance.inversion import Inversion, InversionReport

PLAIN = Inversion(corrections=0)
ENDS = {False: (0.0292, 14.6146), True: (0.003, 1.0)}


class Counted:
    def __init__(self, model) -> None:
        self.model, self.calls = model, 0

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.model(x, sigma)


@pytest.fixture(scope="module", params=[False, True], ids=["VE", "flow"])
def flow(request) -> bool:
    return request.param


@pytest.fixture(scope="module")
def mixture(flow):
    return random_mixture(2, power_law(32, 1.0), flow=flow)


@pytest.fixture(scope="module")
def image(mixture, flow):
    """Samples of the mixture, (4, 32)."""
    x = ENDS[flow][1] * torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    return sample_euler(mixture, x, down(200, flow))


def down(steps: int, flow: bool) -> torch.Tensor:
    return CURVES["karras"](steps, *ENDS[flow], flow=flow)


def up(steps: int, flow: bool) -> torch.Tensor:
    """What the host's FlipSigmas makes of it."""
    sigmas = down(steps, flow).flip(0).clone()
    sigmas[0] = 1e-4
    return sigmas


def trip(model, image, steps, flow, inversion) -> tuple[float, int]:
    counted = Counted(model)
    noise = sample_ddim(counted, image, up(steps, flow), inversion=inversion, flow=flow)
    calls = counted.calls
    back = sample_ddim(model, noise, down(steps, flow))
    return float((back - image).square().mean().sqrt()), calls


@pytest.mark.parametrize("steps", [10, 20, 50])
def test_the_round_trip_error_is_a_third_of_the_plain_ones_at_equal_calls(mixture, image, flow, steps):
    ours, calls = trip(mixture, image, steps, flow, Inversion())
    plain, spent = trip(mixture, image, calls, flow, PLAIN)
    assert spent == calls
    assert ours < plain / 3.0


def test_one_call_per_step_already_beats_the_plain_inversion(mixture, image, flow):
    ours, calls = trip(mixture, image, 30, flow, Inversion(corrections=1))
    plain, _ = trip(mixture, image, 30, flow, PLAIN)
    assert calls == 30
    assert ours < plain / 3.0


def test_the_plain_inversion_is_euler_on_flipped_sigmas(mixture, image, flow):
    theirs = sample_euler(mixture, image, up(8, flow))
    assert torch.equal(theirs, sample_ddim(mixture, image, up(8, flow), inversion=PLAIN))


@pytest.mark.parametrize(("corrections", "order"), [(0, 1), (1, 3), (2, 4)])
@pytest.mark.slow
def test_the_round_trip_is_of_the_first_order_plain_and_of_the_third_with_one_call(
    mixture, image, flow, corrections, order
):
    errors = []
    for steps in (256, 512):
        # Between two levels above 0, in float64: the order of the steps and nothing else.
        sigmas = torch.as_tensor(np.geomspace(0.05, 0.8 if flow else 8.0, steps + 1))
        settings = Inversion(corrections, tolerance=0.0)
        top = sample_ddim(mixture, image.double(), sigmas, inversion=settings, flow=flow)
        errors.append(float((sample_ddim(mixture, top, sigmas.flip(0)) - image).square().mean().sqrt()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


def test_a_row_does_not_depend_on_the_others(mixture, image, flow):
    whole = sample_ddim(mixture, image, up(10, flow), flow=flow)
    for row in range(4):
        alone = sample_ddim(mixture, image[row : row + 1], up(10, flow), flow=flow)
        assert torch.allclose(whole[row], alone[0], rtol=1e-4, atol=1e-4 * float(whole[row].abs().max()))


def test_sigmas_may_start_at_0_but_not_for_the_plain_inversion(mixture, image, flow):
    sigmas = down(20, flow).flip(0)
    top = sample_ddim(mixture, image, sigmas, flow=flow)
    back = sample_ddim(mixture, top, down(20, flow))
    assert float((back - image).square().mean().sqrt()) < 0.1
    with pytest.raises(ValueError, match=r"^sigmas: the plain inversion cannot start at 0"):
        sample_ddim(mixture, image, sigmas, inversion=PLAIN)


def test_the_report_tells_calls_residual_and_the_true_round_trip(mixture, image, flow):
    said: list[InversionReport] = []
    counted = Counted(mixture)
    settings = Inversion(check=True)
    top = sample_ddim(counted, image, up(12, flow), inversion=settings, flow=flow, report=said.append)
    report = said[0]
    assert sum(report.calls) + 12 == counted.calls
    assert len(report.calls) == len(report.residual) == 12
    assert max(report.calls) <= settings.corrections
    back = sample_ddim(mixture, top, up(12, flow).flip(0))
    assert report.round_trip == pytest.approx((back - image).square().mean(1).sqrt().tolist(), rel=1e-4)
    text = report.text()
    assert f"12 steps, {sum(report.calls)} model calls" in text
    assert "round-trip error" in text
    plain: list[InversionReport] = []
    sample_ddim(mixture, image, up(12, flow), inversion=PLAIN, report=plain.append)
    assert "residual" not in plain[0].text()


def test_repeated_levels_cost_nothing(mixture, image, flow):
    sigmas = up(6, flow)
    repeated = torch.cat([sigmas[:3], sigmas[2:]])
    once, twice = Counted(mixture), Counted(mixture)
    ends = [sample_ddim(model, image, levels, flow=flow) for model, levels in ((once, sigmas), (twice, repeated))]
    assert torch.equal(*ends)
    assert once.calls == twice.calls


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"^corrections must be from 0"):
        Inversion(corrections=-1)
    with pytest.raises(ValueError, match=r"^tolerance must be 0 or more"):
        Inversion(tolerance=math.nan)


def test_a_model_without_a_fixed_point_ends_and_says_so():
    # Twice over-steered: the iteration does not contract anywhere.
    wild = lambda x, sigma: x - 3.0 * torch.sin(5.0 * x)  # noqa: E731
    said: list[InversionReport] = []
    x = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    end = sample_ddim(wild, x, torch.tensor([0.1, 1.0, 2.0]), report=said.append)
    assert torch.isfinite(end).all()
    assert "more steps" in said[0].text()
