"""What a pilot run measures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sigmasmith.schedules.adaptive.pilot import run_pilot
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.fitting.direct import DirectRun

from .models import ENDS, Watched, gaussian, mixture, run, start


def pilot_of(model, flow, calls=40, rows=3):
    high, low = ENDS[flow]
    return run_pilot(DirectRun(model, start(flow, rows=rows), {}), slice(0, rows), SigmaRange(low, high, flow), calls)


@pytest.mark.parametrize("flow", [False, True])
def test_it_ends_where_a_fine_run_ends(flow):
    found = pilot_of(mixture(flow), flow)
    exact, _ = run(mixture(flow), flow, calls=400)
    assert float((found.end - exact).square().mean().sqrt()) < 2e-3
    assert found.calls == 40
    assert found.end.shape == (3, 16)


def test_its_rates_are_the_derivatives_of_the_output():
    # D = a + b t + c t**2 + d t**3, whatever the state: its derivatives are known at every t.
    a, b, c, d = torch.randn(4, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def output(x, sigma, **_):
        t = -sigma.log()[:, None].to(x)
        return a + b * t + c * t**2 + d * t**3

    found = pilot_of(output, False)
    rms = lambda values: float(values.square().mean().sqrt())  # noqa: E731
    for t, rate in zip(found.times[1][5:], found.rates[1][5:]):
        assert rate[0] == pytest.approx(rms(b + 2.0 * c * t + 3.0 * d * t**2), rel=0.05)
    for t, rate in zip(found.times[2], found.rates[2]):
        assert rate[0] == pytest.approx(rms(2.0 * c + 6.0 * d * t), rel=1e-3)
    assert found.rates[3] == pytest.approx(np.full_like(found.rates[3], rms(6.0 * d)), rel=1e-3)


def test_rows_do_not_see_each_other_and_every_call_is_of_the_whole_batch():
    model = Watched(mixture(True))
    whole, alone = pilot_of(model, True), pilot_of(mixture(True), True, rows=1)
    assert len(model.sigmas) == 40
    assert {len(sigma) for sigma in model.sigmas} == {3}
    for order in (1, 2, 3):
        assert np.allclose(whole.rates[order][:, :1], alone.rates[order], rtol=1e-4)
        assert np.all(np.diff(whole.times[order]) > 0.0)


def test_nan_and_a_pilot_of_too_few_calls_are_named():
    def broken(x, sigma, **_):
        return torch.full_like(x, math.nan) if float(sigma[0]) < 1.0 else gaussian(False)(x, sigma)

    with pytest.raises(ValueError, match="sigma 0\\."):
        pilot_of(broken, False)
    wrong: list[Any] = [0, 7, 1001, 8.5]
    for calls in wrong:
        with pytest.raises(ValueError, match="calls of the pilot"):
            pilot_of(gaussian(False), False, calls)
