"""Write tiny checkpoints that ComfyUI's own loaders accept, so that host tests need no download.

Run with the host's interpreter: `python tiny_checkpoints.py COMFYUI MODELS`. It writes

    MODELS/checkpoints/tiny_sd15.safetensors   epsilon prediction, UNet, CLIP-L, TAESD
    MODELS/checkpoints/tiny_sd3.safetensors    rectified flow with shift 3, MMDiT, CLIP-L, TAESD
    MODELS/diffusion_models/tiny_sd3_unet.safetensors, MODELS/vae/tiny_sd3_vae.safetensors   its parts alone
    MODELS/diffusion_models/tiny_wan.safetensors, MODELS/vae/tiny_wan_vae.safetensors   see tiny_video.py
    MODELS/text_encoders/tiny_clip_l.safetensors   their CLIP-L alone
    MODELS/clip_vision/tiny_clip_vision.safetensors   CLIP-L's vision half
    MODELS/loras/tiny_sd15_lora.safetensors    rank 4 on the attention of tiny_sd15

The host detects a model by the shapes in the file, so only a few widths have to be the real ones. Names and shapes come
from the host's classes, built on the meta device; the values are ours and depend on nothing but the tensor's name, so
the files are equal byte for byte whichever host version writes them.

The networks are random but not arbitrary. What they predict is mostly the direction of their input plus a mild random
function of input, time and prompt, and they see only the slow waves of the time embedding: hence their probability-flow
ODE is smooth, a teacher trajectory converges, and a fit has something to find.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from tiny_video import wan_vae_weights, wan_weights
from torch import Tensor

# The SD 1.5 family is recognised by these two; a single level without a middle block is as small as the UNet gets.
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "context_dim": 768,
    "num_heads": 8,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [0, 0],
    "transformer_depth_middle": -2,
    "use_spatial_transformer": True,
    "legacy": False,
}
# MMDiT is 64 wide per block of depth. SD3 pads every text encoder to 4096 and pools CLIP-L and CLIP-G to 2048.
MMDIT = {
    "input_size": None,
    "patch_size": 2,
    "in_channels": 16,
    "depth": 1,
    "adm_in_channels": 2048,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 64}},
    "num_patches": 1024,
    "pos_embed_max_size": 32,
    "qk_norm": "rms",
}
# Gains of the last layers, measured: the prediction's share along the unit-sized input becomes 0.8 and 0.5. From 1 on a
# sample reaches zero size before sigma does; its direction is lost there and the trajectories become chaotic.
UNET_OUT = 0.042
MMDIT_OUT = 0.5
# vae_scale and vae_shift: the factors by which the two families' latents differ from a TAESD's own.
VAE_SCALES = {"tiny_sd15": (0.18215, 0.0), "tiny_sd3": (1.5305, 0.0609)}
# Rows of CLIP's vocabulary with values: common words have low numbers, and all 49408 rows would take 76 MB of disk.
WORDS = 4096
# Faster waves than this (radians per timestep) would make the prediction jump between neighbouring noise levels.
MAX_FREQUENCY = 4e-3


def noise(name: str, shape: torch.Size | tuple[int, ...], std: float) -> Tensor:
    """Normal values that depend on the name alone, shape `shape`, float32."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(tuple(shape), generator=generator) * std


def random_weights(shapes: Mapping[str, Tensor], gain: float = 1.0) -> dict[str, Tensor]:
    """One value per name: unit norm scales, small biases, matrices of variance gain**2 / fan_in."""
    weights = {}
    for name, like in shapes.items():
        if like.ndim < 2:
            is_scale = name.endswith("weight")
            weights[name] = torch.ones(like.shape) if is_scale else noise(name, like.shape, 0.02)
        else:
            weights[name] = noise(name, like.shape, gain * like[0].numel() ** -0.5)
    return weights


def keep_slow_waves(weight: Tensor) -> Tensor:
    """The first matrix behind a cos|sin time embedding of period 10000, without its fast columns."""
    half = weight.shape[1] // 2
    frequency = 10000.0 ** (-torch.arange(half) / half)
    return weight * (frequency < MAX_FREQUENCY).repeat(2)


def unet_weights() -> dict[str, Tensor]:
    """tiny_sd15's UNet: the long skip carries the input to a last layer that is the transpose of the first."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    shapes = UNetModel(**UNET, device="meta", operations=comfy.ops.disable_weight_init).state_dict()
    weights = random_weights(shapes)
    weights["time_embed.0.weight"] = keep_slow_waves(weights["time_embed.0.weight"])
    for name in ("input_blocks.1.0", "output_blocks.0.0", "output_blocks.1.0"):
        weights[f"{name}.emb_layers.1.weight"] *= 4.0
    weights["output_blocks.1.0.skip_connection.weight"][:, 320:, 0, 0] = torch.eye(320)
    # SiLU's odd part is x / 2 and the even parts cancel over 320 random channels, so W^T silu(W x) follows x.
    first = weights["input_blocks.0.0.weight"]
    weights["out.2.weight"] = first.transpose(0, 1).flip(-1, -2) * UNET_OUT
    return weights


def mmdit_weights() -> dict[str, Tensor]:
    """tiny_sd3's MMDiT: the last layer is the transpose of the orthogonal patch embedding."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    shapes = OpenAISignatureMMDITWrapper(**MMDIT, device="meta", operations=comfy.ops.disable_weight_init).state_dict()
    weights = random_weights(shapes)
    weights["t_embedder.mlp.0.weight"] = keep_slow_waves(weights["t_embedder.mlp.0.weight"])
    weights["pos_embed"] = noise("pos_embed", shapes["pos_embed"].shape, 0.2)
    # A Hadamard matrix with random signs, not a QR: LAPACK's last bits depend on the number of threads.
    patch = torch.ones(1, 1)
    for _ in range(6):
        patch = torch.cat([torch.cat([patch, patch], 1), torch.cat([patch, -patch], 1)])
    patch = patch / 8 * noise("signs", (64,), 1.0).sign()
    weights["x_embedder.proj.weight"] = patch.reshape(64, 16, 2, 2)
    # The embedding orders its inputs (channel, row, column), the unpatching of the output (row, column, channel).
    weights["final_layer.linear.weight"] = patch.T.reshape(16, 2, 2, 64).permute(1, 2, 0, 3).reshape(64, 64)
    weights["final_layer.linear.weight"] *= MMDIT_OUT
    return weights


def clip_weights() -> dict[str, Tensor]:
    """CLIP-L whose layers do nothing: a prompt is the normalised sum of its word and position vectors."""
    import comfy.clip_model
    import comfy.ops

    config = json.loads((Path(comfy.clip_model.__file__).parent / "sd1_clip_config.json").read_text(encoding="utf-8"))
    model = comfy.clip_model.CLIPTextModel(config, torch.float32, "meta", comfy.ops.disable_weight_init)
    weights = {name: torch.zeros(like.shape) for name, like in model.state_dict().items()}
    words = weights["text_model.embeddings.token_embedding.weight"]
    words[:WORDS] = noise("words", (WORDS, words.shape[1]), 1.0)
    words[-2:] = noise("start and end", (2, words.shape[1]), 1.0)
    positions = weights["text_model.embeddings.position_embedding.weight"]
    positions += noise("positions", positions.shape, 0.2)
    weights["text_model.final_layer_norm.weight"] += 1.0
    weights["text_projection.weight"] += torch.eye(words.shape[1])
    return weights


def clip_vision_weights() -> dict[str, Tensor]:
    """CLIP-L's vision half; the first layer hands the mean of the patches to the token that becomes the embedding."""
    import comfy.clip_model
    import comfy.ops

    folder = Path(comfy.clip_model.__file__).parent
    config = json.loads((folder / "clip_vision_config_vitl.json").read_text(encoding="utf-8"))
    model = comfy.clip_model.CLIPVisionModelProjection(config, torch.float32, "meta", comfy.ops.disable_weight_init)
    weights = {name: torch.zeros(like.shape) for name, like in model.state_dict().items()}
    for name in ("pre_layrnorm", "post_layernorm", "encoder.layers.0.layer_norm1"):
        weights[f"vision_model.{name}.weight"] += 1.0
    for name in ("v_proj", "out_proj"):
        weight = weights[f"vision_model.encoder.layers.0.self_attn.{name}.weight"]
        weight += torch.eye(len(weight))
    for name in ("vision_model.embeddings.patch_embedding.weight", "visual_projection.weight"):
        weights[name] = noise(name, weights[name].shape, weights[name][0].numel() ** -0.5)
    return weights


def vae_weights(channels: int, scale: float, shift: float) -> dict[str, Tensor]:
    """A TAESD with random filters: images around mid grey, latents of about unit size."""
    from comfy.taesd.taesd import TAESD

    weights = random_weights(TAESD(latent_channels=channels).state_dict(), gain=1.2)
    for half, middle, gain in (("encoder", 0.0, 0.1), ("decoder", 0.5, 0.08)):
        index = max(int(name.split(".")[1]) for name in weights if name.startswith(f"taesd_{half}."))
        weights[f"taesd_{half}.{index}.weight"] *= gain
        weights[f"taesd_{half}.{index}.bias"].fill_(middle)
    return weights | {"vae_scale": torch.tensor(scale), "vae_shift": torch.tensor(shift)}


def lora_weights(unet: Mapping[str, Tensor], rank: int = 4) -> dict[str, Tensor]:
    """A LoRA in kohya's naming on every attention matrix, about as large as the matrices themselves."""
    lora = {}
    for name, weight in unet.items():
        if ".attn" not in name or not name.endswith(".weight"):
            continue
        key = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
        rows, columns = weight.shape
        lora[f"{key}.lora_down.weight"] = noise(f"{key}.down", (rank, columns), columns**-0.5)
        lora[f"{key}.lora_up.weight"] = noise(f"{key}.up", (rows, rank), rank**-0.5)
        lora[f"{key}.alpha"] = torch.tensor(float(rank))
    return lora


def write_sparse(path: Path, weights: Mapping[str, Tensor]) -> None:
    """A float16 safetensors file in which rows of zeros are holes: 250 MB of CLIP take 7 MB of disk."""
    header: dict[str, object] = {}
    end = 0
    for name, weight in weights.items():
        start, end = end, end + 2 * weight.numel()
        header[name] = {"dtype": "F16", "shape": list(weight.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for weight in weights.values():
            rows = weight.reshape(weight.shape[0], -1) if weight.ndim > 1 else weight.reshape(1, -1)
            for row, used in zip(rows.half(), rows.any(dim=1).tolist(), strict=True):
                if used:
                    file.write(row.numpy().tobytes())
                else:
                    file.seek(2 * row.numel(), os.SEEK_CUR)
        file.truncate(8 + len(text) + end)
    part.replace(path)


def prefixed(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {prefix + name: weight for name, weight in weights.items()}


def main(comfyui: Path, models: Path) -> None:
    """Write the files under `models`."""
    sys.path.insert(0, str(comfyui.resolve()))
    from comfy.cli_args import args

    args.cpu = True  # read once, when comfy.model_management is imported below

    for folder in ("checkpoints", "diffusion_models", "vae", "text_encoders", "clip_vision", "loras"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    unet, clip = unet_weights(), clip_weights()
    sd15 = prefixed("model.diffusion_model.", unet)
    sd15 |= prefixed("cond_stage_model.transformer.", clip)
    sd15 |= prefixed("first_stage_model.", vae_weights(4, *VAE_SCALES["tiny_sd15"]))
    write_sparse(models / "checkpoints" / "tiny_sd15.safetensors", sd15)
    mmdit, vae16 = mmdit_weights(), vae_weights(16, *VAE_SCALES["tiny_sd3"])
    write_sparse(models / "diffusion_models" / "tiny_sd3_unet.safetensors", mmdit)
    write_sparse(models / "vae" / "tiny_sd3_vae.safetensors", vae16)
    sd3 = prefixed("model.diffusion_model.", mmdit)
    sd3 |= prefixed("text_encoders.clip_l.transformer.", clip)
    sd3 |= prefixed("first_stage_model.", vae16)
    write_sparse(models / "checkpoints" / "tiny_sd3.safetensors", sd3)
    write_sparse(models / "text_encoders" / "tiny_clip_l.safetensors", clip)
    wan = wan_weights(random_weights, keep_slow_waves, noise)
    write_sparse(models / "diffusion_models" / "tiny_wan.safetensors", wan)
    write_sparse(models / "vae" / "tiny_wan_vae.safetensors", wan_vae_weights())
    write_sparse(models / "clip_vision" / "tiny_clip_vision.safetensors", clip_vision_weights())
    write_sparse(models / "loras" / "tiny_sd15_lora.safetensors", lora_weights(unet))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
