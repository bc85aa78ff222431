"""DDIM: equal to Euler without noise, right in its statistics with noise, the same alone and in a batch."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.ddim import sample_ddim
from sigmasmith.schedules.variance.eta_curves import parse_curve
from sigmasmith.schedules.variance.noise import NoiseKind, NoiseSource
from sigmasmith.schedules.variance.readout import NoiseLog

VE, FLOW = (0.0292, 14.6146), (0.003, 1.0)


def levels(steps: int, flow: bool) -> torch.Tensor:
    return CURVES["karras"](steps, *(FLOW if flow else VE), flow=flow)


def start(teacher: GaussianTeacher, rows: int = 4, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Noise, and on VE models the data's own spread in it: a state of the process at its first level."""
    noise = torch.randn(rows, 32, generator=torch.Generator().manual_seed(3), dtype=dtype)
    return noise if teacher.flow else noise * (VE[1] ** 2 + teacher.variance.to(noise)).sqrt()


@pytest.mark.slow
def test_without_noise_it_is_bit_equal_to_k_diffusions_euler(k_diffusion_sampling, teacher):
    for steps in (1, 2, 9):
        sigmas, x = levels(steps, teacher.flow), start(teacher)
        theirs = k_diffusion_sampling.sample_euler(teacher, x, sigmas, disable=True)
        assert torch.equal(theirs, sample_ddim(teacher, x, sigmas, flow=teacher.flow))
        assert torch.equal(theirs, sample_ddim(teacher, x, sigmas, eta=0.0, noise=NoiseSource("path", (5,))))


def test_images_and_videos_run_in_their_own_type():
    model = lambda x, sigma: x / (1.0 + sigma.reshape(-1, *[1] * (x.ndim - 1)) ** 2)  # noqa: E731
    for shape in ((2, 4, 8, 8), (2, 4, 3, 8, 8)):
        for dtype in (torch.float32, torch.float16):
            x = torch.randn(shape).to(dtype)
            end = sample_ddim(model, x, levels(5, False).to(dtype), eta=0.7)
            assert (end.shape, end.dtype) == (x.shape, dtype)


def test_it_is_of_the_first_order(teacher):
    low, high = FLOW if teacher.flow else VE
    # From below 1: on flow models the exact solution is singular there. To sigma_min: the last step has a fixed size.
    high = 0.9 if teacher.flow else high
    x = start(teacher, dtype=torch.float64)
    counts, errors = (32, 64, 128, 256), []
    for steps in counts:
        sigmas = torch.as_tensor(np.geomspace(high, low, steps + 1))
        end = sample_ddim(teacher, x, sigmas)
        errors.append(float((end - teacher.at(x, high, low)).square().mean().sqrt()))
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)
    assert math.log2(errors[-2] / errors[-1]) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("eta", ["0", "0.5", "1", "cosine 1 to 0", "window 1 from 0.8 to 0.2"])
@pytest.mark.slow
def test_the_end_has_the_datas_variance_for_every_eta(teacher, eta):
    rows = 512
    x = start(teacher, rows)
    end = sample_ddim(teacher, x, levels(80, teacher.flow), eta=parse_curve(eta, "eta"), flow=teacher.flow)
    ratio = end.double().square().sum() / (rows * teacher.variance.sum())
    # Standard error of the summed variance, and the discretisation of 80 steps.
    error = (2.0 * teacher.variance.square().sum() / rows).sqrt() / teacher.variance.sum()
    assert float(ratio) == pytest.approx(1.0, abs=4.0 * float(error) + 0.05)


def test_rows_are_the_same_alone_and_in_a_batch(teacher):
    x, sigmas = start(teacher), levels(6, teacher.flow)
    for kind in ("white", "path"):
        whole = sample_ddim(teacher, x, sigmas, eta=1.0, noise=NoiseSource(kind, (4, 8, 1, 6)), flow=teacher.flow)
        for row, seed in enumerate((4, 8, 1, 6)):
            alone = sample_ddim(
                teacher, x[row : row + 1], sigmas, eta=1.0, noise=NoiseSource(kind, (seed,)), flow=teacher.flow
            )
            assert torch.allclose(whole[row], alone[0], atol=1e-6), (kind, row)


@pytest.mark.slow
def test_on_one_path_other_step_counts_come_near_and_on_white_noise_they_do_not(teacher):
    x = start(teacher, 16)

    @cache
    def end(steps: int, kind: NoiseKind) -> torch.Tensor:
        sigmas = levels(steps, teacher.flow)
        return sample_ddim(teacher, x, sigmas, eta=1.0, noise=NoiseSource(kind, (7,)), flow=teacher.flow).flatten()

    def alike(kind: NoiseKind, few: int) -> float:
        return float(torch.corrcoef(torch.stack([end(few, kind), end(160, kind)]))[0, 1])

    assert alike("path", 20) > 0.9
    assert alike("path", 40) > alike("path", 20)
    assert alike("white", 20) < 0.5


def test_the_run_seed_counts_where_no_seeds_are_given(teacher):
    x, sigmas = start(teacher), levels(6, teacher.flow)

    def end(seed: int) -> torch.Tensor:
        return sample_ddim(lambda x, sigma, **_: teacher(x, sigma), x, sigmas, {"seed": seed}, eta=1.0)

    assert torch.equal(end(1), end(1))
    assert not torch.equal(end(1), end(2))


def test_the_readout_has_every_step_and_what_was_drawn(teacher):
    log = NoiseLog()
    x = torch.zeros(1, 4, 64, 64)
    sample_ddim(lambda x, sigma: 0.0 * x, x, levels(5, teacher.flow), eta=0.5, flow=teacher.flow, log=log)
    assert len(log.steps) == 5
    for entry in log.steps[:-1]:
        assert entry.std is not None
        assert entry.added == pytest.approx(entry.std, rel=4.0 / (2 * x.numel()) ** 0.5)
        assert entry.eta == 0.5
    assert log.steps[-1].added == 0.0
    lines = log.text().splitlines()
    assert lines[0].startswith("step 1: sigma ")
    assert lines[-1].endswith("-> 0, no noise")


def test_the_callback_is_called_once_per_step_with_k_diffusions_keys(teacher):
    seen = []
    sigmas = levels(4, teacher.flow)
    sample_ddim(teacher, start(teacher), sigmas, None, seen.append, eta=0.5, flow=teacher.flow)
    assert [found["i"] for found in seen] == [0, 1, 2, 3]
    assert [float(found["sigma"]) for found in seen] == sigmas[:-1].tolist()
    assert {"x", "i", "sigma", "sigma_hat", "denoised"} <= set(seen[0])


def test_a_model_that_returns_nan_stops_the_run_at_its_sigma():
    def broken(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x * (float("nan") if float(sigma[0]) < 1.0 else 0.5)

    with pytest.raises(ModelError, match="the model returned NaN or infinity at sigma 0"):
        sample_ddim(broken, torch.ones(1, 8), levels(9, False))


def test_bad_input_is_named():
    model, x = (lambda x, sigma: x), torch.ones(1, 8)
    with pytest.raises(ValueError, match=r"^eta must be from 0 to 1, got 1.5"):
        sample_ddim(model, x, levels(4, False), eta=1.5)
    with pytest.raises(ValueError, match=r"^sigmas must fall throughout, or rise throughout"):
        sample_ddim(model, x, torch.tensor([3.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match=r"^sigmas must hold at least 2"):
        sample_ddim(model, x, torch.tensor([3.0]))
    with pytest.raises(ValueError, match=r"^sigmas must be finite"):
        sample_ddim(model, x, torch.tensor([float("nan"), 0.0]))
