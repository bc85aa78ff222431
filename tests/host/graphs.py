"""Graphs in the form that `/prompt` takes."""

from __future__ import annotations

from typing import Any

Graph = dict[str, dict[str, Any]]
CHANNELS = {"tiny_sd15": 4, "tiny_sd3": 16}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node; a link is `["node name", output index]`."""
    return {"class_type": class_type, "inputs": inputs}


def text_to_image(
    model: str = "tiny_sd15",
    *,
    steps: int = 5,
    cfg: float = 5.0,
    sampler: str = "euler",
    scheduler: str = "karras",
    denoise: float = 1.0,
    size: int = 64,
    batch: int = 1,
    seed: int = 1,
    prompt: str = "a red house by the sea",
) -> Graph:
    """Checkpoint to saved image; the names are load, positive, negative, latent, sample, decode and save."""
    if model not in CHANNELS:
        raise ValueError(f"model={model!r}: one of {', '.join(CHANNELS)}")
    latent = "EmptyLatentImage" if CHANNELS[model] == 4 else "EmptySD3LatentImage"
    return {
        "load": node("CheckpointLoaderSimple", ckpt_name=f"{model}.safetensors"),
        "positive": node("CLIPTextEncode", clip=["load", 1], text=prompt),
        "negative": node("CLIPTextEncode", clip=["load", 1], text=""),
        "latent": node(latent, width=size, height=size, batch_size=batch),
        "sample": node(
            "KSampler",
            model=["load", 0],
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["latent", 0],
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler_name=sampler,
            scheduler=scheduler,
            denoise=denoise,
        ),
        "decode": node("VAEDecode", samples=["sample", 0], vae=["load", 2]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix=model),
    }
