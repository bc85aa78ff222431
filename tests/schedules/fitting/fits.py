"""Small models and fits that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher, MixtureDenoiser, power_law, random_mixture
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas, finish_sigmas
from sigmasmith.schedules.core.types import SamplerFunction
from sigmasmith.schedules.fitting import calibrate as calibrate_module
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.objective import Objective
from sigmasmith.schedules.fitting.report import FITTED
from sigmasmith.schedules.fitting.rollouts import Rollouts
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.teacher import Teacher, run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.samplers.by_name import own_sampler
from torch import Tensor

VE = SigmaRange(0.0292, 14.6146)
FLOW = SigmaRange(0.003, 1.0, flow=True)
DIM = 12


def range_of(flow: bool) -> SigmaRange:
    return FLOW if flow else VE


def normal(rows: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, *(shape or (DIM,)), generator=torch.Generator().manual_seed(seed))


@cache
def mixture(flow: bool = False, cfg: float = 1.0) -> MixtureDenoiser:
    return random_mixture(3, power_law(DIM, 1.2), modes=6, classes=3, flow=flow, cfg=cfg)


@cache
def gaussian(flow: bool = False, dim: int = DIM) -> GaussianTeacher:
    mean = torch.randn(dim, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return GaussianTeacher(mean, power_law(dim, 1.0), flow)


class Counted:
    """A denoiser that counts what it is asked for.

    Args:
        whole: rows that it insists on; 0 takes any number.
    """

    def __init__(self, model: Callable[..., Tensor], whole: int = 0) -> None:
        self.model = model
        self.whole = whole
        self.calls = 0
        self.rows = 0

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        if self.whole and x.shape[0] != self.whole:
            raise RuntimeError(f"this model takes {self.whole} rows")
        self.calls += 1
        self.rows += x.shape[0]
        return self.model(x, sigma, **extra_args)


class Rowless:
    """A denoiser of latents of any shape, through one of flat rows."""

    def __init__(self, model: Callable[..., Tensor]) -> None:
        self.model = model

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        return self.model(x.flatten(1), sigma, **extra_args).reshape(x.shape)


def small_fit(model: Callable[..., Tensor], noise: Tensor, *, flow: bool = False, **options: Any) -> Calibration:
    """calibrate() on the range of the kind of model, 5 steps at effort fast unless said otherwise."""
    known = range_of(flow)
    given: dict[str, Any] = {"steps": 5, "effort": "fast", **options}
    return calibrate(model, noise, sigma_min=known.sigma_min, sigma_max=known.sigma_max, flow=flow, **given)


def direct(model: Callable[..., Tensor], rows: int, *, flow: bool = False, shape: tuple[int, ...] = ()) -> DirectRun:
    """A run function on `rows` rows that takes any part of them."""
    run = DirectRun(model, range_of(flow).sigma_max * normal(rows, *shape), {})
    run.splits = True
    return run


def teacher_of(model: Callable[..., Tensor], rows: int, nodes: int, *, flow: bool = False, dim: int = DIM) -> Teacher:
    run, every = direct(model, rows, flow=flow, shape=(dim,)), slice(0, rows)
    levels = teacher_sigmas(nodes, range_of(flow))
    return run_teacher(run, levels, every, Sketch(dim, 512), Budget(rows, 1e9))


def rollouts_of(
    model: Callable[..., Tensor],
    rows: int,
    *,
    sampler: str | SamplerFunction = "dpmpp_2m",
    flow: bool = False,
    shape: tuple[int, ...] = (DIM,),
) -> Rollouts:
    function = own_sampler(sampler) if isinstance(sampler, str) else sampler
    values = torch.Size(shape).numel()
    return Rollouts(direct(model, rows, flow=flow, shape=shape), function, Budget(rows, 1e9), Sketch(values, 512))


def objective_of(
    model: Callable[..., Tensor], rows: int = 8, *, sampler: str = "dpmpp_2m", flow: bool = False
) -> Objective:
    teacher = teacher_of(model, rows, 40, flow=flow)
    rollouts = rollouts_of(model, rows, sampler=sampler, flow=flow)
    return Objective(rollouts, teacher.end, slice(0, rows), Sketch(DIM, 16_384, seed=1))


class Timed:
    """A denoiser that takes a second of a fake clock per row of eight."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.now += len(x) / 8
        return mixture()(x, sigma)

    def fit(self, monkeypatch: Any, **options: Any) -> Calibration:
        monkeypatch.setattr(calibrate_module, "Budget", partial(Budget, clock=lambda: self.now))
        return small_fit(self, normal(8), **options)


# A host schedule that never wins.
POOR = {"poor": lambda steps: finish_sigmas(torch.logspace(1.1648, 1.1, steps, dtype=torch.float64).numpy())}


def assert_contract(fit: Calibration, flow: bool = False) -> None:
    """Every list of a fit keeps the contract of a sigma list and starts where it must."""
    known = range_of(flow)
    for steps, sigmas in fit.schedules.items():
        assert torch.equal(check_sigmas(sigmas), sigmas)
        assert len(sigmas) == steps + 1
        chosen = fit.report.rows[steps].chosen
        first = known.sigma_max if chosen == FITTED else float(host_schedules(known)[chosen](steps)[0])
        assert float(sigmas[0]) == pytest.approx(first, rel=1e-6)
        assert steps == 1 or float(sigmas[-2]) >= known.sigma_min * (1.0 - 1e-5)
