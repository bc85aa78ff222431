"""Short random projections of latents: enough for inner products and errors, small enough for video."""

from __future__ import annotations

import torch
from torch import Tensor


class Sketch:
    """Count sketch: every value is added, with a random sign, to one of `size` sums. Keeps inner products on average.

    One fixed draw serves a whole fit, so that sketches of different states add and subtract like the states do. No
    channel, frame or region is preferred. Latents of at most `size` values pass through unchanged.

    Args:
        values: number of values of one row (all dimensions but the batch).
        size: length of the sketch.
        seed: of the fixed draw.
    Source: Charikar, Chen and Farach-Colton 2002; relative error of a squared norm about sqrt(2 / size).
    """

    def __init__(self, values: int, size: int, seed: int = 0) -> None:
        self.size = min(values, size)
        self._exact = values <= size
        if not self._exact:
            generator = torch.Generator().manual_seed(seed)
            self._bucket = torch.randint(0, size, (values,), generator=generator)
            self._sign = torch.randint(0, 2, (values,), generator=generator, dtype=torch.int8) * 2 - 1

    def __call__(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, size) float64 on the CPU, where double precision exists on every machine."""
        flat = x.detach().flatten(1).to("cpu", torch.float32)
        if self._exact:
            return flat.double()
        out = torch.zeros(flat.shape[0], self.size)
        return out.index_add_(1, self._bucket, flat * self._sign).double()
