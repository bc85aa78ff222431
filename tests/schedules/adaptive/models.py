"""Models and runs that the tests of the adaptive samplers share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher, MixtureDenoiser, power_law, random_mixture
from sigmasmith.schedules.adaptive.report import AdaptiveReport
from sigmasmith.schedules.adaptive.samplers import sample_sigmasmith_adaptive
from torch import Tensor

DIM = 16
METHODS = ("predictive", "embedded_2", "embedded_3")
# First and last noise level of a run, by whether the model is a flow.
ENDS = {False: (10.0, 0.05), True: (1.0, 0.02)}


@cache
def gaussian(flow: bool) -> GaussianTeacher:
    return GaussianTeacher(torch.linspace(-1.0, 1.0, DIM, dtype=torch.float64), power_law(DIM, 1.0), flow)


@cache
def mixture(flow: bool, cfg: float = 1.0) -> MixtureDenoiser:
    return random_mixture(3, power_law(DIM, 1.0), flow=flow, modes=4, classes=2, cfg=cfg)


def guided(flow: bool, cfg: float) -> Callable[..., Tensor]:
    """The mixture under guidance to its first class: it changes suddenly on the way."""
    model = mixture(flow, cfg)

    def denoiser(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return model(x, sigma, labels=torch.zeros(x.shape[0], dtype=torch.long))

    return denoiser


def start(flow: bool, rows: int = 3, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return ENDS[flow][0] * torch.randn(rows, DIM, generator=draw, dtype=torch.float64).to(dtype)


def levels(flow: bool, *, to_zero: bool = True, steps: int = 4) -> Tensor:
    """A host's list: only its ends count."""
    high, low = ENDS[flow]
    positive = torch.linspace(high, low, steps, dtype=torch.float32)
    return torch.cat([positive, torch.zeros(1)]) if to_zero else positive


class Watched:
    """A denoiser that remembers what it was called with."""

    def __init__(self, model: Callable[..., Tensor]) -> None:
        self.model = model
        self.states: list[Tensor] = []
        self.sigmas: list[Tensor] = []

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        self.states.append(x.clone())
        self.sigmas.append(sigma.clone())
        return self.model(x, sigma, **extra_args)


def run(model: Callable[..., Tensor], flow: bool, **settings: Any) -> tuple[Tensor, AdaptiveReport]:
    """End states and report of a run on the shared start states, or on `x`."""
    report = AdaptiveReport()
    x = settings.pop("x", None)
    sigmas = settings.pop("sigmas", None)
    end = sample_sigmasmith_adaptive(
        model,
        start(flow) if x is None else x,
        levels(flow) if sigmas is None else sigmas,
        flow=flow,
        report=report,
        **settings,
    )
    return end, report


@cache
def converged(flow: bool, *, to_zero: bool = True) -> Tensor:
    """End states of the mixture from the shared start states, by so many calls that what is left counts for nothing."""
    return run(mixture(flow), flow, calls=600, sigmas=levels(flow, to_zero=to_zero))[0]
