"""Noise with a seed per row: a row's noise is the same alone and in any batch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .noise_steps import ve_level

NoiseKind = Literal["white", "path"]

# Ends of the path's clock, as VE levels far outside every model's, and the number of halvings in between: a leaf is
# 0.11 % of a sigma wide, within which the path is straight.
_LOWEST, _HIGHEST, _DEPTH = 1e-4, 1e4, 14


@dataclass(frozen=True)
class NoiseSource:
    """How noise is drawn; `start` makes the noise of one run.

    Args:
        kind: `white` draws afresh in every step; `path` takes increments of one Brownian path per row, so that runs
            with other step counts see the same noise, finer or coarser.
        seeds: of the rows; rows beyond the list count on from the last. Empty: the run's seed, counting up.
        on_cpu: draw on the CPU, where every machine draws the same, or on the device of the state, which is faster.
    """

    kind: NoiseKind = "white"
    seeds: tuple[int, ...] = ()
    on_cpu: bool = True

    def start(self, x: Tensor, seed: int, *, flow: bool) -> RowNoise:
        """The noise of a run on states like x (B, ...)."""
        seeds = row_seeds(self.seeds or (seed,), x.shape[0])
        return RowNoise(x, seeds, kind=self.kind, device="cpu" if self.on_cpu else x.device, flow=flow)


def row_seeds(seeds: Sequence[int], rows: int) -> list[int]:
    """One seed per row: the list, then counting on from its last."""
    given = list(seeds[:rows])
    return given + [given[-1] + extra for extra in range(1, rows - len(given) + 1)]


class RowNoise:
    """Standard normal noise like a state x, as k-diffusion's noise_sampler: (sigma, sigma_next) -> (B, ...).

    Args:
        x: (B, ...) its shape, dtype and device are the noise's.
        seeds: one per row.
        flow: whether the sigmas asked for are those of a flow model.

    The path runs in t = 1 / sigma_ve**2, the signal-to-noise ratio. In x / sigma**2 an eta = 1 step adds exactly
    (W(t_next) - W(t)) when the model's answer does not change, so the noise of one long step is that of its parts.
    Source: the virtual Brownian tree of Li et al. 2020, arXiv:2001.01328, with fixed depth, halved in log t.
    """

    def __init__(
        self, x: Tensor, seeds: Sequence[int], *, kind: NoiseKind, device: torch.device | str, flow: bool
    ) -> None:
        self._like = x
        self._seeds = list(seeds)
        self._kind: NoiseKind = kind
        self._device = torch.device(device)
        self._flow = flow
        self._streams = [self._generator(seed, "white") for seed in self._seeds]
        self._last: tuple[float, Tensor] | None = None

    def __call__(self, sigma: Tensor | float, sigma_next: Tensor | float) -> Tensor:
        """Noise of a step down from sigma to sigma_next."""
        if self._kind == "white":
            return self.fresh()
        start, end = self._clock(float(sigma)), self._clock(float(sigma_next))
        before, after = self._at(start), self._at(end)
        return ((after - before) / max(end - start, 1e-30) ** 0.5).to(self._like)

    def fresh(self) -> Tensor:
        """Noise that belongs to no step of the path: churn, restarts, white noise."""
        return torch.stack([self._normal(stream) for stream in self._streams]).to(self._like)

    def _clock(self, sigma: float) -> float:
        level = ve_level(sigma) if self._flow else sigma
        return max(level, _LOWEST) ** -2.0

    def _at(self, time: float) -> Tensor:
        """W(time), (B, ...) float32, by successive Brownian bridges."""
        if self._last is not None and self._last[0] == time:
            return self._last[1]
        low, high = _HIGHEST**-2.0, _LOWEST**-2.0
        left = low**0.5 * self._node(0, 0)
        if time <= low:
            return left * (time / low)
        right = left + (high - low) ** 0.5 * self._node(0, 1)
        index = 0
        for level in range(1, _DEPTH + 1):
            middle = math.sqrt(low * high)
            share = (middle - low) / (high - low)
            spread = math.sqrt((middle - low) * (high - middle) / (high - low))
            value = torch.lerp(left, right, share) + spread * self._node(level, index)
            if time < middle:
                high, right, index = middle, value, 2 * index
            else:
                low, left, index = middle, value, 2 * index + 1
        value = torch.lerp(left, right, min((time - low) / (high - low), 1.0))
        self._last = (time, value)
        return value

    def _node(self, level: int, index: int) -> Tensor:
        return torch.stack([self._normal(self._generator(seed, f"{level} {index}")) for seed in self._seeds])

    def _normal(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self._like.shape[1:], generator=generator, device=self._device)

    def _generator(self, seed: int, stream: str) -> torch.Generator:
        """Hashed: torch's CPU generator takes the low 32 bits only, and the host's own noise must not come back."""
        digest = hashlib.blake2b(f"{seed} {stream}".encode(), digest_size=8).digest()
        return torch.Generator(device=self._device).manual_seed(int.from_bytes(digest, "little") >> 1)
