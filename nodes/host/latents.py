"""Latents as a sampler sees them."""

from __future__ import annotations

import inspect
from typing import Any

import comfy.sample
import comfy.utils
import torch
from torch import Tensor


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
