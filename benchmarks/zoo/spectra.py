"""Pictures in the cosine basis, where natural ones have a nearly diagonal covariance: there models have formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..analytic import GaussianTeacher


def cosine_matrix(size: int) -> Tensor:
    """(size, size) float64, orthonormal, row k the cosine of frequency k (DCT-II)."""
    k, n = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)
    matrix = (math.pi * (2 * n + 1) * k / (2 * size)).cos() * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def to_cosines(x: Tensor) -> Tensor:
    """(..., H, W) coefficients of pictures (..., H, W), in their dtype."""
    return cosine_matrix(x.shape[-2]).to(x) @ x @ cosine_matrix(x.shape[-1]).to(x).T


def from_cosines(coefficients: Tensor) -> Tensor:
    """The pictures of coefficients: the inverse of `to_cosines`."""
    return (
        cosine_matrix(coefficients.shape[-2]).to(coefficients).T
        @ coefficients
        @ cosine_matrix(coefficients.shape[-1]).to(coefficients)
    )


def frequencies(height: int, width: int) -> Tensor:
    """(H, W) float64 radial frequency of each coefficient, the mean 0, the finest 1 in each direction."""
    rows = torch.arange(height, dtype=torch.float64)[:, None] / max(height - 1, 1)
    columns = torch.arange(width, dtype=torch.float64) / max(width - 1, 1)
    return torch.hypot(rows, columns)


@dataclass(frozen=True)
class CosineDenoiser:
    """A denoiser of flat cosine coefficients (B, C*H*W), used on pictures (B, C, H, W)."""

    inner: Callable[..., Tensor]

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        denoised = self.inner(to_cosines(x).flatten(1), sigma, **extra_args)
        return from_cosines(denoised.reshape(x.shape))


def wiener_denoiser(mean: Tensor, spectrum: Tensor, *, flow: bool) -> CosineDenoiser:
    """The best linear denoiser that knows the mean and the spectrum of its data, and nothing else.

    Args:
        mean, spectrum: (C, H, W), mean and variance of the cosine coefficients.
    """
    return CosineDenoiser(GaussianTeacher(mean.double().flatten(), spectrum.double().flatten(), flow))
