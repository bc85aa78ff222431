"""Noise for stochastic samplers that does not depend on the steps: one Brownian path per sample.

With it a stochastic sampler has a limit for many steps, and few steps can be held against that limit sample by sample.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from typing import Any

import torch
from torch import Tensor

from ..core.types import SamplerFunction
from .rules import MULTISTEP_RULES

# Halvings of the interval down to which the path is random; below it is straight. 2**-18 of sigma_max lies far below
# every model's sigma_min.
_DEPTH = 18
# Bytes of path values that are kept for the next call; the two ends of a step are kept in any case.
_KEPT_BYTES = 64 * 2**20


class BrownianPath:
    """W(sigma) on 0 .. sigma_max, one path per row, as a noise sampler: (sigma, sigma_next) -> standard normal.

    The value is (W(sigma) - W(sigma_next)) / sqrt(sigma - sigma_next), which is what k-diffusion's stochastic samplers
    expect. Rows have seeds of their own: a row's noise is the same alone and in any batch.

    Args:
        shape: of one row.
        sigma_max: end of the path.
        seed: of row 0; row r has seed + r.
        rows: of the batch that this object is asked for.
    Source: the virtual Brownian tree of Li et al. 2020, arXiv:2001.01328, with a fixed depth.
    """

    def __init__(self, shape: tuple[int, ...], sigma_max: float, seed: int, rows: slice) -> None:
        self.shape = shape
        self.sigma_max = sigma_max
        self.seeds = range(seed + rows.start, seed + rows.stop)
        self._known: dict[float, Tensor] = {}

    def __call__(self, sigma: Any, sigma_next: Any) -> Tensor:
        high, low = float(sigma), float(sigma_next)
        return (self._at(high) - self._at(low)) / max(high - low, 1e-12) ** 0.5

    def _at(self, sigma: float) -> Tensor:
        """W at one level, (rows, ...) float32, by successive Brownian bridges."""
        if sigma not in self._known:
            value_bytes = 4 * len(self.seeds) * math.prod(self.shape)
            while len(self._known) > 1 and (len(self._known) + 1) * value_bytes > _KEPT_BYTES:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[sigma] = self._bridge(min(max(sigma / self.sigma_max, 0.0), 1.0)) * self.sigma_max**0.5
        return self._known[sigma]

    def _bridge(self, time: float) -> Tensor:
        """W on the unit interval, for unit time."""
        left, right = torch.zeros(len(self.seeds), *self.shape), self._normal(0, 0)
        low, high = 0.0, 1.0
        for level in range(1, _DEPTH + 1):
            middle = 0.5 * (low + high)
            value = 0.5 * (left + right) + 0.5 * (high - low) ** 0.5 * self._normal(level, round(middle * 2**_DEPTH))
            if time < middle:
                high, right = middle, value
            else:
                low, left = middle, value
        return left + (right - left) * ((time - low) / (high - low))

    def _normal(self, level: int, index: int) -> Tensor:
        rows = []
        for seed in self.seeds:
            # Hashed: torch's generator on the CPU reads the low 32 bits alone.
            digest = hashlib.blake2b(f"{seed} {level} {index}".encode(), digest_size=4).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
            rows.append(torch.randn(self.shape, generator=generator))
        return torch.stack(rows)


def is_stochastic(sampler: SamplerFunction, name: str) -> bool:
    """Whether a sampler takes a noise_sampler, and so may draw noise. Known deterministic rules never do."""
    if name in MULTISTEP_RULES:
        return False
    try:
        return "noise_sampler" in inspect.signature(sampler).parameters
    except (TypeError, ValueError):  # builtins and some wrappers have no signature to read
        return False


def on_path(sampler: SamplerFunction, path: BrownianPath) -> SamplerFunction:
    """The sampler with its noise taken from the path."""

    def sample(model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
        kwargs["noise_sampler"] = lambda sigma, sigma_next: path(sigma, sigma_next).to(x)
        return sampler(model, x, sigmas, **kwargs)

    return sample
