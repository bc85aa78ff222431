"""The contract of a run is enough to write a host from, and the hosts that there are fulfil it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sigmasmith.schedules.core.run import ResumesHandover, Run, RunSampler, StartsFromImages, take_rows
from sigmasmith.schedules.fitting.calibrate import calibrate, solve_schedules
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.settings import Sampling, Searching, samplers_by_name
from sigmasmith.schedules.hosts.schedules import host_schedules
from torch import Tensor

from ..fitting.fits import DIM, mixture, normal, range_of

RANGE = range_of(False)


class ThirdHost:
    """A host written from the protocol alone: no more than it names."""

    splits = True

    def __init__(self, rows: int) -> None:
        self.start = RANGE.sigma_max * normal(rows)

    def __call__(self, sampler: RunSampler, sigmas: Tensor, rows: slice) -> None:
        with torch.no_grad():
            sampler(mixture(), self.start[rows] * (float(sigmas[0]) / RANGE.sigma_max), sigmas, extra_args={})


class ThirdHostOfImages(ThirdHost):
    has_images = False

    def start_from(self, images: Tensor, sigma: float) -> None:
        noise = self.start / RANGE.sigma_max
        self.start = (images + sigma * noise.roll(1, dims=0)) * (RANGE.sigma_max / sigma)
        self.has_images = True


def fitted_by(run: Run, **options: Any) -> Any:
    return calibrate(
        None,
        normal(8),
        sigma_min=RANGE.sigma_min,
        sigma_max=RANGE.sigma_max,
        steps=5,
        effort="fast",
        run=run,
        **options,
    )


def test_a_host_written_from_the_protocol_gets_the_schedules_of_a_plain_denoiser():
    plain = calibrate(
        mixture(), normal(8), sigma_min=RANGE.sigma_min, sigma_max=RANGE.sigma_max, steps=5, effort="fast"
    )
    assert torch.allclose(fitted_by(ThirdHost(8)).sigmas(5), plain.sigmas(5), rtol=1e-2)


def test_a_run_that_only_starts_from_noise_is_not_fitted_below_denoise_1():
    with pytest.raises(ValueError, match="denoise: this run starts from noise alone"):
        fitted_by(ThirdHost(8), denoise=0.5)


def test_a_run_that_starts_from_images_is_given_those_of_the_model():
    run = ThirdHostOfImages(8)
    fit = fitted_by(run, denoise=0.5)
    assert run.has_images
    assert fit.denoise == 0.5
    assert 10 in fit.schedules


def test_the_four_parts_and_the_keywords_are_one_fit():
    hosts = host_schedules(RANGE)
    sampling = Sampling(RANGE, samplers_by_name("dpmpp_2m"), (5,))
    parts = solve_schedules(ThirdHost(8), normal(8), sampling, Searching(hosts, effort="fast"))
    assert torch.equal(parts.sigmas(5), fitted_by(ThirdHost(8)).sigmas(5))
    assert parts.nfe == fitted_by(ThirdHost(8)).nfe


def test_a_plain_denoisers_run_starts_from_images_and_its_sampler_functions_hand_nothing_over():
    run = DirectRun(mixture(), normal(4), {})
    assert isinstance(run, StartsFromImages)
    assert not isinstance(lambda model, x, sigmas: x, ResumesHandover)


def test_rows_are_taken_from_a_whole_batch_or_from_what_ran_alone():
    whole, rows = normal(6), slice(2, 5)
    assert torch.equal(take_rows(whole, rows), whole[2:5])
    assert torch.equal(take_rows(whole[2:5], rows), whole[2:5])
    assert whole.shape == (6, DIM)
