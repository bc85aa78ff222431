"""Latents as pictures, by the host's own decoder."""

from __future__ import annotations

from typing import Any

import torch
from modules import devices, processing
from torch import Tensor


def pictures(model: Any, latents: Tensor) -> Tensor:
    """(N, H, W, 3) float32 in 0..1 on the CPU."""
    decoded = processing.decode_latent_batch(model, latents, target_device=devices.cpu)
    stacked = torch.stack([sample.detach().cpu().float() for sample in decoded])
    return ((stacked + 1.0) * 0.5).clamp(0.0, 1.0).movedim(1, -1)
