"""The fitted multistep sampler: tables of coefficients, and what it does without one."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.fitting.coefficients.unknowns import dpmpp_2m_parameters, table_of
from sigmasmith.schedules.samplers.fitted import FittedSolver, run_table, sample_sigmasmith_multistep
from sigmasmith.schedules.samplers.rules import own_sampler


def sigmas_of(steps):
    return finish_sigmas(torch.logspace(1.1, -1.5, steps, dtype=torch.float64).numpy())


def curved(x, sigma, **_):
    """A denoiser whose output depends on state and noise level."""
    return torch.tanh(x / (1.0 + sigma.reshape(-1, *[1] * (x.ndim - 1)) ** 2))


def start(*shape):
    return 12.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def a_table(steps, order=3, seed=0):
    base = table_of(dpmpp_2m_parameters(sigmas_of(steps), order), sigmas_of(steps))
    return base + 0.01 * torch.randn(base.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_table_of_dpmpp_2m_runs_as_dpmpp_2m(order):
    sigmas, x = sigmas_of(8), start(3, 1, 4, 4)
    table = table_of(dpmpp_2m_parameters(sigmas, order), sigmas)
    own = own_sampler("dpmpp_2m")(curved, x, sigmas)
    torch.testing.assert_close(run_table(curved, x, sigmas, coefficients=table), own, rtol=1e-5, atol=1e-5)


def test_a_step_is_the_weighted_sum_of_state_and_model_outputs():
    sigmas, x, table = sigmas_of(3), start(1, 2), a_table(3)
    first = curved(x, sigmas[:1])
    y = table[0, 0] * x + table[0, 1] * first
    second = curved(y, sigmas[1:2])
    z = table[1, 0] * y + table[1, 1] * second + table[1, 2] * first
    third = curved(z, sigmas[2:3])
    expected = table[2, 0] * z + table[2, 1] * third + table[2, 2] * second + table[2, 3] * first
    torch.testing.assert_close(run_table(curved, x, sigmas, coefficients=table), expected)


def test_a_fitted_schedule_runs_its_own_coefficients():
    solver = FittedSolver({5: sigmas_of(5), 8: sigmas_of(8)}, {8: a_table(8)})
    said: list[str] = []
    x = start(2, 1, 4, 4)
    fitted = sample_sigmasmith_multistep(curved, x, sigmas_of(8), solver=solver, warn=said.append)
    assert said == []
    assert torch.equal(fitted, run_table(curved, x, sigmas_of(8), coefficients=solver.coefficients[8]))


@pytest.mark.parametrize(
    ("solver", "sigmas", "words"),
    [
        (None, sigmas_of(8), "no preset reached the sampler"),
        (FittedSolver({8: sigmas_of(8)}, {}), sigmas_of(8), "the preset holds no coefficients"),
        (FittedSolver({8: sigmas_of(8), 5: sigmas_of(5)}, {8: a_table(8)}), sigmas_of(5), "no coefficients that held"),
        (FittedSolver({8: sigmas_of(8)}, {8: a_table(8)}), sigmas_of(7), "8 steps at denoise 1, and these 7 steps"),
        (FittedSolver({8: sigmas_of(8)}, {8: a_table(8)}), sigmas_of(8) * 0.9, "another list of sigmas"),
        (FittedSolver({8: sigmas_of(8)}, {8: a_table(8)}), sigmas_of(8)[3:], "another list of sigmas"),
    ],
)
def test_without_coefficients_for_these_sigmas_it_runs_as_dpmpp_2m_and_says_why(solver, sigmas, words):
    said: list[str] = []
    x = start(2, 1, 4, 4)
    end = sample_sigmasmith_multistep(curved, x, sigmas, solver=solver, warn=said.append)
    assert torch.equal(end, own_sampler("dpmpp_2m")(curved, x, sigmas))
    assert len(said) == 1
    assert words in said[0]


def test_a_run_that_stops_early_takes_the_first_rows():
    sigmas, table = sigmas_of(8), a_table(8)
    solver = FittedSolver({8: sigmas}, {8: table})
    found = solver.table(sigmas[:5])
    assert found is not None
    assert torch.equal(found, table[:4])


def test_sigmas_that_went_through_a_hosts_arithmetic_are_still_known():
    sigmas = sigmas_of(8)
    solver = FittedSolver({8: sigmas}, {8: a_table(8)})
    assert solver.table(sigmas * (1.0 + 1e-4)) is not None


def test_outside_an_inpaint_mask_the_picture_stays_untouched():
    picture = torch.full((1, 1, 4, 4), 0.3)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1.0

    def masked(x: torch.Tensor, sigma: torch.Tensor, denoise_mask: torch.Tensor) -> torch.Tensor:
        return curved(x, sigma) * denoise_mask + picture * (1.0 - denoise_mask)

    end = run_table(masked, start(1, 1, 4, 4), sigmas_of(6), {"denoise_mask": mask}, coefficients=a_table(6))
    assert torch.equal(end[..., 2:], picture[..., 2:])
    assert not torch.equal(end[..., :2], picture[..., :2])


def test_a_row_of_the_batch_does_not_change_another():
    x, table, sigmas = start(3, 1, 4, 4), a_table(6), sigmas_of(6)
    together = run_table(curved, x, sigmas, coefficients=table)
    for row in range(3):
        assert torch.equal(run_table(curved, x[row : row + 1], sigmas, coefficients=table)[0], together[row])


def test_video_latents_run_like_images():
    x, table, sigmas = start(1, 2, 3, 4, 4), a_table(6), sigmas_of(6)
    flat = run_table(curved, x.reshape(1, 2, 12, 4), sigmas, coefficients=table)
    assert torch.equal(run_table(curved, x, sigmas, coefficients=table).reshape(1, 2, 12, 4), flat)


def test_every_step_is_reported_to_the_callback():
    seen: list[dict] = []
    sigmas = sigmas_of(5)
    run_table(curved, start(1, 2), sigmas, None, seen.append, coefficients=a_table(5))
    assert [call["i"] for call in seen] == [0, 1, 2, 3, 4]
    assert torch.equal(torch.stack([call["sigma"] for call in seen]), sigmas[:-1])
