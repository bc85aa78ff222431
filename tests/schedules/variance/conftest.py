"""What these tests compare with, and what they run on."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from sigmasmith.benchmarks.analytic import GaussianTeacher, power_law


@pytest.fixture(scope="session")
def k_diffusion_sampling() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("k_diffusion.sampling", reason="pip install k-diffusion to compare with it")


@pytest.fixture(params=[False, True], ids=["VE", "flow"])
def teacher(request: pytest.FixtureRequest) -> GaussianTeacher:
    """Gaussian data with the spectrum of images, in 32 dimensions."""
    return GaussianTeacher(torch.zeros(32, dtype=torch.float64), power_law(32, 1.0), flow=request.param)
