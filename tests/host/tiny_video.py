"""A tiny video model for tiny_checkpoints.py: a Wan 2.1 transformer of one block, and a VAE for its latents.

The transformer is smooth in the same way as the image models there. The VAE has the real one's shape, which the host
pins, and no values: every frame is mid grey, and the file is a hole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

# A head is 128 wide; the text of SD3's encoders, padded to 4096, serves as its text.
WAN = {"dim": 128, "ffn_dim": 128, "num_heads": 1, "num_layers": 1, "in_dim": 16, "out_dim": 16, "text_dim": 4096}
# Gain of the last layer, so that the prediction's share along the unit-sized input becomes 0.5; see MMDIT_OUT.
WAN_OUT = 0.35


def wan_weights(
    random_weights: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    keep_slow_waves: Callable[[Tensor], Tensor],
    noise: Callable[[str, tuple[int, ...], float], Tensor],
) -> dict[str, Tensor]:
    """The last layer is the transpose of the orthogonal patch embedding."""
    import comfy.ops
    from comfy.ldm.wan.model import WanModel

    shapes = WanModel(model_type="t2v", **WAN, device="meta", operations=comfy.ops.disable_weight_init).state_dict()
    weights = random_weights(shapes)
    weights["time_embedding.0.weight"] = keep_slow_waves(weights["time_embedding.0.weight"])
    for name in [name for name in weights if "modulation" in name]:
        weights[name] = noise(name, tuple(shapes[name].shape), 0.1)
    patch = torch.ones(1, 1)
    for _ in range(7):
        patch = torch.cat([torch.cat([patch, patch], 1), torch.cat([patch, -patch], 1)])
    patch = patch[:, :64] / 128**0.5 * noise("video signs", (64,), 1.0).sign()
    weights["patch_embedding.weight"] = patch.reshape(128, 16, 1, 2, 2)
    # The embedding orders its inputs (channel, row, column), the unpatching of the output (row, column, channel).
    head = patch.T.reshape(16, 2, 2, 128).permute(1, 2, 0, 3).reshape(64, 128)
    weights["head.head.weight"] = head * WAN_OUT
    return weights


def wan_vae_weights() -> dict[str, Tensor]:
    """Zeros in the shapes of the Wan 2.1 VAE."""
    from comfy.ldm.wan.vae import WanVAE

    config = {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    with torch.device("meta"):
        shapes = WanVAE(**config, temperal_downsample=[False, True, True], dropout=0.0).state_dict()
    return {name: torch.zeros(like.shape) for name, like in shapes.items()}
