"""The one loop: bit for bit what the loops before it did, and steps by coefficients that a caller hands over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.loop import linear_step, sample_linear, sample_steps
from sigmasmith.schedules.samplers.parameters import coefficients_of, dpmpp_2m_parameters

from .runs import SUMMING, Report, all_runs

GOLDEN = json.loads((Path(__file__).parent / "golden" / "runs.json").read_text(encoding="utf-8"))
RUNS = all_runs()


def sigmas_of(steps):
    return finish_sigmas(torch.logspace(1.1, -1.5, steps, dtype=torch.float64).numpy())


def curved(x, sigma, **_):
    """A denoiser whose output depends on state and noise level."""
    return torch.tanh(x / (1.0 + sigma.reshape(-1, *[1] * (x.ndim - 1)) ** 2))


def start(*shape):
    return 12.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def some_coefficients(steps, order=3, seed=0):
    base = coefficients_of(dpmpp_2m_parameters(sigmas_of(steps), order), sigmas_of(steps))
    return base + 0.01 * torch.randn(base.shape, generator=torch.Generator().manual_seed(seed))


def test_the_golden_runs_are_those_that_are_tested():
    assert GOLDEN.keys() == RUNS.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_a_run_ends_and_reports_as_it_did_before_the_loops_became_one(name):
    report = Report()
    end, golden = RUNS[name](report).float().flatten(), GOLDEN[name]
    assert report.steps == golden["steps"]
    if name.split(": ")[1].startswith(SUMMING):
        torch.testing.assert_close(end, torch.tensor(golden["end"]), rtol=1e-5, atol=1e-6)
    else:
        assert torch.equal(end, torch.tensor(golden["end"]))
        assert report.digest == golden["told"]


def test_no_row_returns_the_model_output_itself():
    sigmas, x = sigmas_of(1), start(1, 2)
    assert torch.equal(sample_linear(curved, x, sigmas, coefficients=[None]), curved(x, sigmas[:1]))


def test_a_run_ends_where_its_rows_end():
    sigmas, x, rows = sigmas_of(5), start(1, 2), some_coefficients(5)[:3]
    part = sample_linear(curved, x, sigmas, coefficients=rows)
    assert torch.equal(part, sample_linear(curved, x, sigmas[:4], coefficients=rows))


def test_the_loop_keeps_no_gradient():
    x = start(1, 2).requires_grad_()
    end = sample_steps(curved, x, sigmas_of(2), take=lambda x, denoised, i: denoised)
    assert not end.requires_grad


@pytest.mark.parametrize("order", [2, 3, 4])
def test_coefficients_of_dpmpp_2m_run_as_dpmpp_2m(order):
    sigmas, x = sigmas_of(8), start(3, 1, 4, 4)
    coefficients = coefficients_of(dpmpp_2m_parameters(sigmas, order), sigmas)
    own = own_sampler("dpmpp_2m")(curved, x, sigmas)
    torch.testing.assert_close(sample_linear(curved, x, sigmas, coefficients=coefficients), own, rtol=1e-5, atol=1e-5)


def test_a_step_is_the_weighted_sum_of_state_and_model_outputs():
    sigmas, x, coefficients = sigmas_of(3), start(1, 2), some_coefficients(3)
    first = curved(x, sigmas[:1])
    y = coefficients[0, 0] * x + coefficients[0, 1] * first
    second = curved(y, sigmas[1:2])
    z = coefficients[1, 0] * y + coefficients[1, 1] * second + coefficients[1, 2] * first
    third = curved(z, sigmas[2:3])
    expected = (
        coefficients[2, 0] * z + coefficients[2, 1] * third + coefficients[2, 2] * second + coefficients[2, 3] * first
    )
    torch.testing.assert_close(sample_linear(curved, x, sigmas, coefficients=coefficients), expected)


def test_outside_an_inpaint_mask_the_picture_stays_untouched():
    picture = torch.full((1, 1, 4, 4), 0.3)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1.0

    def masked(x: torch.Tensor, sigma: torch.Tensor, denoise_mask: torch.Tensor) -> torch.Tensor:
        return curved(x, sigma) * denoise_mask + picture * (1.0 - denoise_mask)

    end = sample_linear(
        masked, start(1, 1, 4, 4), sigmas_of(6), {"denoise_mask": mask}, coefficients=some_coefficients(6)
    )
    assert torch.equal(end[..., 2:], picture[..., 2:])
    assert not torch.equal(end[..., :2], picture[..., :2])


def test_a_row_of_the_batch_does_not_change_another():
    x, coefficients, sigmas = start(3, 1, 4, 4), some_coefficients(6), sigmas_of(6)
    together = sample_linear(curved, x, sigmas, coefficients=coefficients)
    for row in range(3):
        assert torch.equal(sample_linear(curved, x[row : row + 1], sigmas, coefficients=coefficients)[0], together[row])


def test_video_latents_run_like_images():
    x, coefficients, sigmas = start(1, 2, 3, 4, 4), some_coefficients(6), sigmas_of(6)
    flat = sample_linear(curved, x.reshape(1, 2, 12, 4), sigmas, coefficients=coefficients)
    assert torch.equal(sample_linear(curved, x, sigmas, coefficients=coefficients).reshape(1, 2, 12, 4), flat)


def test_every_step_is_reported_to_the_callback():
    seen: list[dict] = []
    sigmas = sigmas_of(5)
    sample_linear(curved, start(1, 2), sigmas, None, seen.append, coefficients=some_coefficients(5))
    assert [call["i"] for call in seen] == [0, 1, 2, 3, 4]
    assert torch.equal(torch.stack([call["sigma"] for call in seen]), sigmas[:-1])


@pytest.mark.parametrize("finer", [torch.float32, torch.float64])
def test_a_step_is_the_plain_weighted_sum_to_the_bit_and_changes_none_of_its_tensors(finer):
    x = torch.randn(2, 3, dtype=torch.float32)
    outputs = [torch.randn(2, 3, dtype=each) for each in (torch.float32, finer, torch.float32)]
    kept = [each.clone() for each in (x, *outputs)]
    row = [0.7, 1.3, -0.4, 0.25]
    plain = row[0] * x
    for weight, output in zip(row[1:], outputs):
        plain = plain + weight * output
    after = linear_step(x, outputs, row)
    assert after.dtype == plain.dtype
    assert torch.equal(after, plain)
    assert all(torch.equal(*pair) for pair in zip(kept, (x, *outputs)))
