"""Fits whose records are kept, and models that stop in the middle, for the tests of this folder."""

from __future__ import annotations

from functools import cache

import torch
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.calibration import Calibration

from .fits import mixture, normal


class Interrupted(Exception):  # noqa: N818 (a person's act, no error)
    pass


class Counting:
    """A denoiser that counts the rows it is asked for, and stops after some calls."""

    def __init__(self, stop_after: int | None = None, model=None) -> None:
        self.rows = 0
        self.calls = 0
        self.stop_after = stop_after
        self.model = model or mixture()

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise Interrupted
        self.calls += 1
        self.rows += len(x)
        return self.model(x, sigma)


def fit(denoiser, folder=None, noise=None, **settings):
    noise = normal(8) if noise is None else noise
    known = {"sigma_min": 0.0292, "sigma_max": 14.6146, "steps": (4, 6), "effort": "fast", "journal": folder}
    return calibrate(denoiser, noise, **(known | settings))


@cache
def whole_fit() -> Calibration:
    """The fit that nothing interrupts and that keeps no records."""
    return fit(mixture())
