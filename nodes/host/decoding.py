"""Latents as images for a reward: by the VAE, or by the host's fast preview decoder."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import latent_preview
import numpy as np
import torch
from torch import Tensor

from . import messages

# Host latents (N, ...) -> images (N, H, W, 3) in 0..1, CPU.
DecodeLatents = Callable[[Tensor], Tensor]
DECODERS = ("VAE", "preview")


def latent_decoder(decoder: str, model: Any, vae: Any) -> DecodeLatents:
    """The decoder that an input names; of a video it shows the middle frame.

    Args:
        decoder: of DECODERS.
    Raises:
        ValueError: names the input.
    """
    if decoder == "VAE":
        if vae is None:
            raise ValueError("vae: connect one, or decode with the preview decoder")
        return lambda latents: torch.cat([_by_vae(vae, row) for row in latents.split(1)])
    previewer = _previewer(model)
    if previewer is None:
        raise ValueError("decode: the host has no preview decoder for this model's latents; choose VAE")
    process = model.model.process_latent_in
    return lambda latents: torch.stack([_by_preview(previewer, process(row)) for row in latents.split(1)])


def decoder_of(model: Any, vae: Any) -> DecodeLatents | None:
    """(N, H, W, 3) pictures of end states (N, ...) in model space: by the VAE, else by the host's preview decoder.

    None where there is neither.
    """
    if vae is None and _previewer(model) is None:
        return None
    decode = latent_decoder(DECODERS[0] if vae is not None else DECODERS[1], model, vae)
    return lambda ends: decode(model.model.process_latent_out(ends.float()))


def _by_vae(vae: Any, latent: Tensor) -> Tensor:
    """(1, H, W, 3) of one latent."""
    messages.stop_if_interrupted()
    frames = vae.decode(latent)
    frames = frames.reshape(-1, *frames.shape[-3:])
    return frames[len(frames) // 2, ..., :3].float().cpu().clamp(0.0, 1.0)[None]


def _by_preview(previewer: Any, latent: Tensor) -> Tensor:
    """(H, W, 3) of one latent in the model's own units."""
    messages.stop_if_interrupted()
    if latent.ndim == 5:
        middle = latent.shape[2] // 2
        latent = latent[:, :, middle : middle + 1]
    picture = previewer.decode_latent_to_preview(latent).convert("RGB")
    return torch.from_numpy(np.array(picture)).float() / 255.0


def _previewer(model: Any) -> Any:
    """The host's previewer; where previews are off, the linear one that needs no file. None where there is none."""
    latent_format = model.get_model_object("latent_format")
    previewer = latent_preview.get_previewer(model.load_device, latent_format)
    if previewer is not None or latent_format.latent_rgb_factors is None:
        return previewer
    kind = latent_preview.Latent2RGBPreviewer
    # Hosts before 2026 do not know the last argument.
    known = len(inspect.signature(kind.__init__).parameters) - 1
    names = ("latent_rgb_factors", "latent_rgb_factors_bias", "latent_rgb_factors_reshape")
    return kind(*[getattr(latent_format, name, None) for name in names[:known]])
