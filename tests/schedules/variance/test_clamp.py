"""The clamp of the latents' spread."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.variance.clamp import LIMIT, DataSpread, hold_spread


def state(std: float, *shape: int) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    dims = tuple(range(2, x.ndim))
    return std * (x - x.mean(dims, keepdim=True)) / x.std(dims, keepdim=True, unbiased=False) + 3.0


@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (1, 4, 3, 8, 8)])
@pytest.mark.parametrize("flow", [False, True])
def test_full_strength_sets_every_channels_spread_and_keeps_its_mean(shape, flow):
    sigma, spread = 0.5, DataSpread((0.8, 0.9, 1.0, 1.1))
    x = state(1.15 if not flow else 0.7, *shape)
    held = hold_spread(x, sigma, spread, 1.0, flow=flow)
    dims = tuple(range(2, x.ndim))
    share = 1.0 - sigma if flow else 1.0
    for channel, std in enumerate(spread.std):
        target = ((share * std) ** 2 + sigma**2) ** 0.5
        if abs(target / float(x[0, channel].std(unbiased=False)) - 1.0) < LIMIT:
            assert float(held[0, channel].std(unbiased=False)) == pytest.approx(target, rel=1e-4)
    assert torch.allclose(held.mean(dims), x.mean(dims), atol=1e-5)


def test_a_step_changes_the_spread_by_a_tenth_at_most_and_strength_0_not_at_all():
    x = state(4.0, 1, 4, 16, 16)
    held = hold_spread(x, 0.5, DataSpread(), 1.0, flow=False)
    assert float(held.std() / x.std()) == pytest.approx(1.0 - LIMIT, rel=1e-3)
    assert hold_spread(x, 0.5, DataSpread(), 0.0, flow=False) is x


def test_half_strength_goes_half_way_on_a_logarithmic_scale():
    sigma = 1.0
    target = 2.0**0.5
    x = state(target * 1.1, 1, 4, 16, 16)
    held = hold_spread(x, sigma, DataSpread(), 0.5, flow=False)
    assert float(held.std((2, 3), unbiased=False).mean()) == pytest.approx(target * 1.1**0.5, rel=1e-4)


def test_rows_do_not_depend_on_each_other():
    x = torch.cat([state(0.9, 1, 4, 8, 8), state(1.6, 1, 4, 8, 8)])
    both = hold_spread(x, 0.5, DataSpread(), 0.7, flow=False)
    assert torch.equal(both[1:], hold_spread(x[1:], 0.5, DataSpread(), 0.7, flow=False))


def test_the_spread_is_measured_per_channel():
    latents = torch.randn(3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    latents = latents * torch.tensor([0.5, 1.0, 2.0, 4.0])[:, None, None]
    spread = DataSpread.of(latents)
    assert spread.std == pytest.approx((0.5, 1.0, 2.0, 4.0), rel=0.05)
    assert spread.overall == pytest.approx((21.25 / 4.0) ** 0.5, rel=0.05)


def test_a_reference_that_cannot_be_is_named():
    with pytest.raises(ValueError, match=r"^reference: it is empty"):
        DataSpread.of(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match=r"^reference: it is empty or not finite"):
        DataSpread.of(torch.full((1, 4, 8, 8), float("nan")))
    with pytest.raises(ValueError, match="reference has 3 channels, the latents have 4"):
        hold_spread(torch.randn(1, 4, 8, 8), 1.0, DataSpread((1.0, 1.0, 1.0)), 1.0, flow=False)
