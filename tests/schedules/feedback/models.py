"""Analytic models for the feedback tests: independent pixels, one half of them harder than the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher
from sigmasmith.schedules.feedback.estimate import RunRecord, observed
from sigmasmith.schedules.feedback.refine import Pass, Resample
from torch import Tensor

SIGMA_MIN, SIGMA_MAX = 0.03, 14.6


def sigmas(steps: int, low: float = 0.3) -> Tensor:
    """Even in log sigma, stopping well above SIGMA_MIN."""
    return torch.cat([torch.logspace(math.log10(SIGMA_MAX), math.log10(low), steps), torch.zeros(1)])


def easy_and_hard(size: int = 8) -> tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]]:
    """A denoiser of (B, 1, size, size) and its exact end: the data of the right half spread widely, the left's not."""
    variance = torch.full((size, size), 1e-4, dtype=torch.float64)
    variance[:, size // 2 :] = 1.0
    gaussian = GaussianTeacher(torch.zeros(size * size, dtype=torch.float64), variance.flatten())

    def model(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return gaussian(x.flatten(1), sigma).reshape(x.shape)

    def exact(x: Tensor) -> Tensor:
        return gaussian.at(x.flatten(1), SIGMA_MAX, 0.0).reshape(x.shape)

    return model, exact


def start(rows: int = 2, size: int = 8, seed: int = 0) -> Tensor:
    return SIGMA_MAX * torch.randn(rows, 1, size, size, generator=torch.Generator().manual_seed(seed)).double()


def first_pass(model: Any, x: Tensor, levels: Tensor, sampler: Any) -> Pass:
    record = RunRecord(keep_states=True)
    end = observed(sampler, record)(model, x, levels)
    return Pass(record, end, len(record.levels))


def resampler(model: Any, sampler: Any) -> Resample:
    """VE resampling with a mask, as the host's KSampler does it."""

    def again(state: Tensor, tail: Tensor, image: Tensor, region: Tensor, most_calls: int) -> Pass | None:
        state, mask = state.to(image), region.unsqueeze(1).to(image)
        noise = (state - image) / tail[0]
        calls = 0

        def masked(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
            nonlocal calls
            calls += 1
            held = image + sigma.reshape(-1, 1, 1, 1) * noise
            return model(x * mask + held * (1.0 - mask), sigma) * mask + image * (1.0 - mask)

        record = RunRecord()
        end = observed(sampler, record)(masked, state, tail)
        assert calls <= most_calls
        return Pass(record, end, calls)

    return again
