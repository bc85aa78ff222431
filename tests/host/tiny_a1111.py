"""What A1111 wants beside the tiny checkpoint: its configuration, and a CLIP folder in place of a download.

A1111 builds the UNet from a yaml and does not look at the weights' shapes. The tokenizer knows single bytes alone.
"""

from __future__ import annotations

import json
from pathlib import Path

WORDS = 49_408
START, END = "<|startoftext|>", "<|endoftext|>"
CLIP = {
    "model_type": "clip_text_model",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
    "vocab_size": WORDS,
}
YAML = """
model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.00085
    linear_end: 0.0120
    num_timesteps_cond: 1
    log_every_t: 200
    timesteps: 1000
    first_stage_key: jpg
    cond_stage_key: txt
    image_size: 64
    channels: 4
    cond_stage_trainable: false
    conditioning_key: crossattn
    monitor: val/loss_simple_ema
    scale_factor: 0.18215
    use_ema: false
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        image_size: 32
        in_channels: 4
        out_channels: 4
        model_channels: 320
        attention_resolutions: [1]
        num_res_blocks: 1
        channel_mult: [1]
        num_heads: 8
        use_spatial_transformer: true
        transformer_depth: 1
        context_dim: 768
        use_checkpoint: false
        legacy: false
    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
      params:
        embed_dim: 4
        monitor: val/rec_loss
        ddconfig:
          double_z: true
          z_channels: 4
          resolution: 256
          in_channels: 3
          out_ch: 3
          ch: 128
          ch_mult: [1, 2, 4, 4]
          num_res_blocks: 2
          attn_resolutions: []
          dropout: 0.0
        lossconfig:
          target: torch.nn.Identity
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder
      params:
        version: %s
"""


def write_beside(checkpoint: Path) -> None:
    """Write the yaml of a checkpoint, and the text encoder's folder that it names."""
    folder = checkpoint.parents[1] / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CLIP), encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(_vocabulary()), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    checkpoint.with_suffix(".yaml").write_text(YAML % json.dumps(str(folder)), encoding="utf-8")


def _vocabulary() -> dict[str, int]:
    """Byte -> number, as it stands inside a word and at its end; the other numbers have names that no text has."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in kept] + [chr(256 + at) for at in range(256 - len(kept))]
    words = letters + [letter + "</w>" for letter in letters]
    words += [f"<{number}>" for number in range(len(words), WORDS - 2)]
    return {word: number for number, word in enumerate([*words, START, END])}
