"""Write a tiny SD 1.5 checkpoint that the WebUIs' loaders accept: `python tiny_webui_checkpoint.py FILE`.

Forge, reForge and Neo detect a model by shapes, as ComfyUI does, but want a UNet with a middle block and a whole
AutoencoderKL; A1111 is told the shapes (tiny_a1111.py). Names and shapes are those of the published format; no host is
imported. Of the autoencoder and the text encoder only a path through the network has values, the rest are zeros, which
take no room on disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tiny_checkpoints import UNET_OUT, WORDS, keep_slow_waves, noise, prefixed, random_weights, write_sparse
from torch import Tensor

CHANNELS, TIME, CONTEXT = 320, 1280, 768
CLIP_WIDTH, CLIP_LAYERS = 768, 12


class Shapes(dict[str, Tensor]):
    """Tensor names with tensors of their shape, without memory."""

    def linear(self, name: str, out: int, into: int, *, bias: bool = True) -> None:
        self[f"{name}.weight"] = torch.empty(out, into, device="meta")
        if bias:
            self[f"{name}.bias"] = torch.empty(out, device="meta")

    def conv(self, name: str, out: int, into: int, size: int = 3) -> None:
        self[f"{name}.weight"] = torch.empty(out, into, size, size, device="meta")
        self[f"{name}.bias"] = torch.empty(out, device="meta")

    def norm(self, name: str, width: int) -> None:
        self[f"{name}.weight"] = torch.empty(width, device="meta")
        self[f"{name}.bias"] = torch.empty(width, device="meta")


def unet_shapes() -> Shapes:
    """A UNet of one level: convolution, block with attention, middle block, two blocks on the way out."""
    shapes = Shapes()
    shapes.linear("time_embed.0", TIME, CHANNELS)
    shapes.linear("time_embed.2", TIME, TIME)
    shapes.conv("input_blocks.0.0", CHANNELS, 4)
    for place in ("input_blocks.1.0", "middle_block.0", "middle_block.2"):
        _unet_block(shapes, place, CHANNELS)
    for place in ("input_blocks.1.1", "middle_block.1"):
        _attention(shapes, place)
    for place in ("output_blocks.0.0", "output_blocks.1.0"):
        _unet_block(shapes, place, 2 * CHANNELS)
        shapes.conv(f"{place}.skip_connection", CHANNELS, 2 * CHANNELS, 1)
    for place in ("output_blocks.0.1", "output_blocks.1.1"):
        _attention(shapes, place)
    shapes.norm("out.0", CHANNELS)
    shapes.conv("out.2", 4, CHANNELS)
    return shapes


def _unet_block(shapes: Shapes, place: str, into: int) -> None:
    shapes.norm(f"{place}.in_layers.0", into)
    shapes.conv(f"{place}.in_layers.2", CHANNELS, into)
    shapes.linear(f"{place}.emb_layers.1", CHANNELS, TIME)
    shapes.norm(f"{place}.out_layers.0", CHANNELS)
    shapes.conv(f"{place}.out_layers.3", CHANNELS, CHANNELS)


def _attention(shapes: Shapes, place: str) -> None:
    shapes.norm(f"{place}.norm", CHANNELS)
    shapes.conv(f"{place}.proj_in", CHANNELS, CHANNELS, 1)
    shapes.conv(f"{place}.proj_out", CHANNELS, CHANNELS, 1)
    block = f"{place}.transformer_blocks.0"
    for norm in ("norm1", "norm2", "norm3"):
        shapes.norm(f"{block}.{norm}", CHANNELS)
    for attention, into in (("attn1", CHANNELS), ("attn2", CONTEXT)):
        shapes.linear(f"{block}.{attention}.to_q", CHANNELS, CHANNELS, bias=False)
        shapes.linear(f"{block}.{attention}.to_k", CHANNELS, into, bias=False)
        shapes.linear(f"{block}.{attention}.to_v", CHANNELS, into, bias=False)
        shapes.linear(f"{block}.{attention}.to_out.0", CHANNELS, CHANNELS)
    shapes.linear(f"{block}.ff.net.0.proj", 8 * CHANNELS, CHANNELS)
    shapes.linear(f"{block}.ff.net.2", CHANNELS, 4 * CHANNELS)


def unet_weights() -> dict[str, Tensor]:
    """Values that give a smooth probability flow; see tiny_checkpoints.py."""
    weights = random_weights(unet_shapes())
    weights["time_embed.0.weight"] = keep_slow_waves(weights["time_embed.0.weight"])
    for name in ("input_blocks.1.0", "output_blocks.0.0", "output_blocks.1.0"):
        weights[f"{name}.emb_layers.1.weight"] *= 4.0
    for place in ("output_blocks.0.1", "output_blocks.1.1"):  # there because A1111 builds them; they add nothing
        for name in ("weight", "bias"):
            weights[f"{place}.proj_out.{name}"] *= 0.0
    weights["output_blocks.1.0.skip_connection.weight"][:, CHANNELS:, 0, 0] = torch.eye(CHANNELS)
    first = weights["input_blocks.0.0.weight"]
    weights["out.2.weight"] = first.transpose(0, 1).flip(-1, -2) * UNET_OUT
    return weights


def vae_shapes() -> Shapes:
    """The KL autoencoder of Stable Diffusion: 128 channels, multiplied by 1, 2, 4, 4."""
    shapes = Shapes()
    shapes.conv("encoder.conv_in", 128, 3)
    for level, (into, out) in enumerate([(128, 128), (128, 256), (256, 512), (512, 512)]):
        for block in range(2):
            _vae_block(shapes, f"encoder.down.{level}.block.{block}", into if block == 0 else out, out)
        if level < 3:
            shapes.conv(f"encoder.down.{level}.downsample.conv", out, out)
    for level, (into, out) in enumerate([(256, 128), (512, 256), (512, 512), (512, 512)]):
        for block in range(3):
            _vae_block(shapes, f"decoder.up.{level}.block.{block}", into if block == 0 else out, out)
        if level > 0:
            shapes.conv(f"decoder.up.{level}.upsample.conv", out, out)
    for half in ("encoder", "decoder"):
        for block in ("block_1", "block_2"):
            _vae_block(shapes, f"{half}.mid.{block}", 512, 512)
        shapes.norm(f"{half}.mid.attn_1.norm", 512)
        for name in ("q", "k", "v", "proj_out"):
            shapes.conv(f"{half}.mid.attn_1.{name}", 512, 512, 1)
    shapes.norm("encoder.norm_out", 512)
    shapes.conv("encoder.conv_out", 8, 512)
    shapes.conv("decoder.conv_in", 512, 4)
    shapes.norm("decoder.norm_out", 128)
    shapes.conv("decoder.conv_out", 3, 128)
    shapes.conv("quant_conv", 8, 8, 1)
    shapes.conv("post_quant_conv", 4, 4, 1)
    return shapes


def _vae_block(shapes: Shapes, place: str, into: int, out: int) -> None:
    shapes.norm(f"{place}.norm1", into)
    shapes.conv(f"{place}.conv1", out, into)
    shapes.norm(f"{place}.norm2", out)
    shapes.conv(f"{place}.conv2", out, out)
    if into != out:
        shapes.conv(f"{place}.nin_shortcut", out, into, 1)


def vae_weights() -> dict[str, Tensor]:
    """Residual blocks that add nothing; what changes size or width passes its input on; the ends are random."""
    shapes = vae_shapes()
    weights = {name: torch.zeros(like.shape) for name, like in shapes.items()}
    for name, weight in weights.items():
        if "norm" in name and name.endswith("weight"):
            weight += 1.0
        elif name.endswith("weight") and any(word in name for word in ("nin_shortcut", "sample.conv", "quant_conv")):
            middle = weight.shape[-1] // 2
            weight[:, :, middle, middle] = torch.eye(weight.shape[0], weight.shape[1])
    for name, std in (
        ("encoder.conv_in", 0.2),
        ("encoder.conv_out", 0.015),
        ("decoder.conv_in", 0.2),
        ("decoder.conv_out", 0.01),
    ):
        weights[f"{name}.weight"] = noise(name, shapes[f"{name}.weight"].shape, std)
    return weights


def clip_weights() -> dict[str, Tensor]:
    """CLIP-L whose layers do nothing: a prompt is the normalised sum of its word and position vectors."""
    shapes = Shapes()
    text = "text_model"
    shapes[f"{text}.embeddings.token_embedding.weight"] = torch.empty(49408, CLIP_WIDTH, device="meta")
    shapes[f"{text}.embeddings.position_embedding.weight"] = torch.empty(77, CLIP_WIDTH, device="meta")
    for number in range(CLIP_LAYERS):
        layer = f"{text}.encoder.layers.{number}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes.linear(f"{layer}.self_attn.{name}", CLIP_WIDTH, CLIP_WIDTH)
        shapes.linear(f"{layer}.mlp.fc1", 4 * CLIP_WIDTH, CLIP_WIDTH)
        shapes.linear(f"{layer}.mlp.fc2", CLIP_WIDTH, 4 * CLIP_WIDTH)
        shapes.norm(f"{layer}.layer_norm1", CLIP_WIDTH)
        shapes.norm(f"{layer}.layer_norm2", CLIP_WIDTH)
    shapes.norm(f"{text}.final_layer_norm", CLIP_WIDTH)
    weights = {name: torch.zeros(like.shape) for name, like in shapes.items()}
    words = weights[f"{text}.embeddings.token_embedding.weight"]
    words[:WORDS] = noise("words", (WORDS, CLIP_WIDTH), 1.0)
    words[-2:] = noise("start and end", (2, CLIP_WIDTH), 1.0)
    positions = weights[f"{text}.embeddings.position_embedding.weight"]
    positions += noise("positions", positions.shape, 0.2)
    weights[f"{text}.final_layer_norm.weight"] += 1.0
    return weights


def main(path: Path) -> None:
    """Write the checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = prefixed("model.diffusion_model.", unet_weights())
    weights |= prefixed("cond_stage_model.transformer.", clip_weights())
    weights |= prefixed("first_stage_model.", vae_weights())
    write_sparse(path, weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
