"""A weight over frequencies: it turns a fit towards fine detail, is told, and is refused where there is none."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.frequencies import fine_part
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.fitting.report import FITTED

from .fits import POOR, VE, mixture, normal

SIDE, ROWS = 16, 8


def pictures(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Of pictures whose amplitudes fall with the frequency, as those of photographs do: the exact mean."""
    down = torch.fft.fftfreq(SIDE)
    variance = 0.5 / (0.03 + torch.hypot(down[:, None], down[None])) ** 2
    gain = variance / (variance + sigma.reshape(-1, 1, 1, 1) ** 2)
    return torch.fft.ifft2(torch.fft.fft2(x) * gain).real


def fit(weight: float, steps: int = 4) -> Calibration:
    return calibrate(
        pictures,
        normal(ROWS, 1, SIDE, SIDE),
        sigma_min=VE.sigma_min,
        sigma_max=VE.sigma_max,
        sampler="euler",
        steps=steps,
        effort="balanced",
        baselines=POOR,
        frequency_weight=weight,
    )


@pytest.mark.slow
def test_a_weight_above_one_makes_fine_detail_better_and_one_below_makes_it_worse():
    fine = {weight: fit(weight).report.rows[4].fine[FITTED] for weight in (0.1, 1.0, 30.0)}
    assert fine[30.0] < 0.98 * fine[1.0] < 0.96 * fine[0.1]


@pytest.mark.slow
def test_the_report_and_the_preset_tell_the_weight_and_the_residual_of_high_frequency():
    done = fit(4.0)
    assert done.made.more["frequency_weight"] == 4.0
    said = str(done.report)
    assert "finest detail counted 4 times as much" in said
    row = done.report.rows[4]
    assert f"In fine detail alone (waves of up to four values): 4 steps {row.fine[FITTED]:.3g} (poor" in said
    assert done.report.reference is not None
    assert row.end is not None
    each = fine_part(row.end - done.report.reference).flatten(1).square().mean(dim=1).sqrt()
    assert row.fine[FITTED] == pytest.approx(float(each.log().mean().exp()), rel=1e-4)


@pytest.mark.slow
def test_a_weight_of_one_is_the_plain_error_and_no_fact():
    plain = fit(1.0)
    assert "frequency_weight" not in plain.made.more
    assert "finest detail counted" not in str(plain.report)


@pytest.mark.parametrize("weight", [0.0, -1.0, 101.0, float("nan")])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ValueError, match="frequency_weight"):
        fit(weight)


def test_rows_that_are_plain_vectors_have_no_frequencies():
    options = {"sigma_min": VE.sigma_min, "sigma_max": VE.sigma_max, "steps": 4, "effort": "fast", "baselines": POOR}
    with pytest.raises(ValueError, match="frequency_weight: rows of plain numbers"):
        calibrate(mixture(), normal(8), frequency_weight=2.0, **options)
    assert "In fine detail" not in str(calibrate(mixture(), normal(8), **options).report)
