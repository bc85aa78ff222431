"""Latents as a sampler sees them, and the pictures that a VAE makes of end states."""

from __future__ import annotations

import inspect
from typing import Any

import comfy.sample
import comfy.utils
import torch
from torch import Tensor

from . import messages


def latent_rows(model: Any, latent: dict[str, Any], rows: int) -> Tensor:
    """(rows, ...) float32 CPU: the LATENT as a sampler sees it, its samples in turn.

    Raises:
        ValueError: names the input `latent`.
    """
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if samples is None:
        raise ValueError("latent: it holds no samples")
    if getattr(samples, "is_nested", False):
        raise ValueError("latent: latents of two kinds at once (video with audio) cannot be fitted yet")
    if samples.ndim < 3 or samples.numel() == 0:
        raise ValueError(f"latent: it is empty (shape {tuple(samples.shape)}); give it at least one sample")
    if not bool(torch.isfinite(samples).all()):
        raise ValueError("latent: it holds NaN or infinity; check the node that makes it")
    known = inspect.signature(comfy.sample.fix_empty_latent_channels).parameters
    ratios = {key: latent[key] for key in ("downscale_ratio_spacial", "downscale_ratio_temporal") if key in latent}
    samples = comfy.sample.fix_empty_latent_channels(model, samples, **{k: v for k, v in ratios.items() if k in known})
    return comfy.utils.repeat_to_batch_size(samples.detach().cpu().float(), rows).clone()


def decoded(vae: Any, model: Any, ends: Tensor) -> list[Tensor]:
    """One (H, W, 3) picture in 0..1 on the CPU per end state; of a video its middle frame."""
    latents = model.model.process_latent_out(ends)
    pictures: list[Tensor] = []
    for row in range(len(latents)):
        messages.stop_if_interrupted()
        frames = vae.decode(latents[row : row + 1])
        frames = frames.reshape(-1, *frames.shape[-3:])
        pictures.append(frames[len(frames) // 2, ..., :3].float().cpu().clamp(0.0, 1.0))
    return pictures
