"""Hold the spread of latents where the teacher's is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# A step changes the spread by a tenth at most: a larger correction shows as a change of contrast within one step.
LIMIT = 0.1


@dataclass(frozen=True)
class DataSpread:
    """Standard deviation of finished latents.

    Args:
        std: one number for all channels, or one per channel.
    """

    std: tuple[float, ...] = (1.0,)

    @property
    def overall(self) -> float:
        """Root mean square over the channels."""
        return (sum(value**2 for value in self.std) / len(self.std)) ** 0.5

    @staticmethod
    def of(latents: Tensor) -> DataSpread:
        """Measured on latents (B, C, ...), per channel, over all rows.

        Raises:
            ValueError: names the input `reference`.
        """
        values = latents.detach().double().transpose(0, 1).flatten(1)
        std = values.std(dim=1) if values.shape[1] > 1 else torch.zeros(1)
        if not bool(torch.isfinite(std).all()) or float(std.max()) == 0.0:
            raise ValueError("reference: it is empty or not finite; give the finished latent of a long run")
        return DataSpread(tuple(std.tolist()))


def hold_spread(x: Tensor, sigma: float, spread: DataSpread, strength: float, *, flow: bool) -> Tensor:
    """States with their per-channel standard deviation moved to what it is at this noise level.

    Args:
        x: (B, C, ...) states at sigma.
        strength: 0 leaves them, 1 moves all the way (within LIMIT).
        flow: the target is sqrt((1 - sigma)**2 d**2 + sigma**2), on VE models sqrt(d**2 + sigma**2).
    Returns:
        x with every channel of every row scaled about its own mean by (target / std)**strength, at most 10 %.
    Raises:
        ValueError: the reference has another number of channels.
    """
    if strength == 0.0:
        return x
    shape = (1, -1, *[1] * (x.ndim - 2))
    channels = x.shape[1] if x.ndim > 2 else 1
    if len(spread.std) not in (1, channels):
        raise ValueError(f"reference has {len(spread.std)} channels, the latents have {channels}")
    share = 1.0 - sigma if flow else 1.0
    target = torch.tensor([((share * std) ** 2 + sigma**2) ** 0.5 for std in spread.std]).to(x).reshape(shape)
    dims = tuple(range(2, x.ndim)) or (1,)
    mean = x.mean(dim=dims, keepdim=True)
    centred = x - mean
    std = centred.square().mean(dim=dims, keepdim=True).sqrt().clamp_min(1e-12)
    factor = (target.reshape([1] * x.ndim if len(spread.std) == 1 else shape) / std) ** strength
    return torch.addcmul(mean, centred, factor.clamp(1.0 - LIMIT, 1.0 + LIMIT))
