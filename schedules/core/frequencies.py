"""Fine and coarse detail of pictures: a radial weight over spatial frequencies, and what lies in the finer half.

The radius of a frequency is its distance from 0 over half the sampling rate: 0 for flat areas, 1 for a change of sign
from value to value along one side; the corners count as 1. Errors of high frequency are what people see as noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

# From this radius upwards detail counts as fine: waves of at most four values.
FINE = 0.5


def has_detail(shape: tuple[int, ...]) -> bool:
    """Whether rows of this shape (channels first) are pictures or sounds, not plain vectors."""
    return len(shape) > 1 and max(shape[-2:]) > 1


def frequency_weighted(values: Tensor, high: float) -> Tensor:
    """(B, ..., H, W) with every frequency scaled by 1 + (high - 1) * radius, over the root mean square of these.

    White noise keeps its size, so that errors stay comparable. At `high` 1 the values themselves.

    Args:
        high: how many times more the finest detail counts than flat areas, > 0.
    """
    if high == 1.0:
        return values
    return _filtered(values, 1.0 + (high - 1.0) * _radius(values.shape[-2], values.shape[-1]), keep=True)


def fine_part(values: Tensor) -> Tensor:
    """(B, ..., H, W) what lies at or above the radius FINE."""
    return _filtered(values, (_radius(values.shape[-2], values.shape[-1]) >= FINE).float(), keep=False)


def _radius(height: int, width: int) -> Tensor:
    """(H, W) radius of each frequency of a discrete Fourier transform, 0..1."""
    down, across = 2.0 * torch.fft.fftfreq(height), 2.0 * torch.fft.fftfreq(width)
    return torch.hypot(down[:, None], across[None]).clamp(max=1.0)


def _filtered(values: Tensor, gains: Tensor, keep: bool) -> Tensor:
    """The values with each frequency scaled; `keep`: by gains of root mean square 1. On the CPU, float32."""
    if keep:
        gains = gains / gains.square().mean().sqrt()
    return torch.fft.ifft2(torch.fft.fft2(values.detach().cpu().float()) * gains).real
