"""A model must answer with numbers: the check, its error, and a model that is checked at every call."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class ModelError(ValueError):
    """The model returned a value that is not finite."""


def check_finite(denoised: Tensor, sigma: float, call: int, first_row: int = 0) -> None:
    """Raise ModelError naming the sigma, the call and the first sample, by its place in the whole batch."""
    finite = torch.isfinite(denoised.flatten(1)).all(dim=1)
    if not bool(finite.all()):
        row = first_row + int((~finite).nonzero()[0])
        raise ModelError(f"the model returned NaN or infinity at sigma {sigma:.6g} (call {call + 1}) for sample {row}")


class FiniteModel:
    """A denoiser that raises ModelError when its answer is not finite; its other attributes pass through."""

    def __init__(self, model: Any) -> None:
        self.calls = 0
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        denoised = self._model(x, sigma, **extra_args)
        # A sum is a tenth of the cost of looking at every value; half precision may overflow in it, hence the look.
        if not math.isfinite(float(denoised.sum())):
            check_finite(denoised, float(sigma.flatten()[0]), self.calls)
        self.calls += 1
        return denoised
