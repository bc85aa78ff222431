"""The networks of the zoo: what one predicts, a small transformer beside the demo's U-Net, and the autoencoder.

All work on data of standard deviation about 1; a row never depends on the other rows of a batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...demo.models.network import Architecture, Denoiser
from ...schedules.core.noise_space import SigmaRange
from ...schedules.presets.identity import Prediction

_HEAD_WIDTH = 32
_NOISE_FEATURES = 32


class PredictingDenoiser(Denoiser):
    """A network that predicts noise, v or the velocity of a flow, with nothing around it that its kind has not.

    eps:   D = x - s F(x / sqrt(1 + s^2)): as in SD, so errors of F count s-fold at high noise.
    v:     D = x / (1 + s^2) - s / sqrt(1 + s^2) F(x / sqrt(1 + s^2)).
    flow:  D = x - s F(x), on x = (1 - s) clean + s noise.

    Source: Ho et al. 2020, arXiv:2006.11239, eq. 11; Salimans and Ho 2022, arXiv:2202.00512, section 4 (v, here in VE
    space); Esser et al. 2024, arXiv:2403.03206, section 3.1.
    """

    def __init__(self, arch: Architecture, network: nn.Module, prediction: Prediction, sigma_range: SigmaRange) -> None:
        super().__init__(arch, network)
        self.prediction = prediction
        self.sigma_min, self.sigma_max, self.flow = sigma_range.sigma_min, sigma_range.sigma_max, sigma_range.flow

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        level = sigma[:, None, None, None]
        return torch.lerp(clean, noise, level) if self.flow else clean + level * noise

    def loss_weight(self, sigma: Tensor) -> Tensor:
        return 1 + 1 / sigma**2 if self.prediction == "v" else 1 / sigma**2

    def _denoised(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        level = sigma.to(x)[:, None, None, None]
        if self.prediction == "flow":
            return x - level * self._predict(x, sigma, labels)
        total = 1 + level**2
        predicted = self._predict(x / total.sqrt(), sigma.log() / 4, labels)
        if self.prediction == "eps":
            return x - level * predicted
        return x / total - level / total.sqrt() * predicted


class Transformer(nn.Module):
    """Patches of pixels under self-attention; the embedding scales, shifts and gates every block.

    One modulation for all blocks with an offset for each, as in PixArt (Chen et al. 2023, arXiv:2310.00426, section
    2.3), on the blocks of DiT (Peebles and Xie 2022, arXiv:2212.09748).
    """

    frequencies: Tensor

    def __init__(self, arch: Architecture, depth: int) -> None:
        super().__init__()
        width = arch.width
        pixels, side = arch.channels * arch.patch**2, arch.size // arch.patch
        self.patch = arch.patch
        # As low as those of the demo's U-Net, for the same reason: the field has to be smooth in sigma.
        low, high = math.log10(0.5), math.log10(32.0)
        self.register_buffer("frequencies", torch.logspace(low, high, _NOISE_FEATURES // 2), persistent=False)
        self.noise = nn.Linear(_NOISE_FEATURES, width)
        self.label = nn.Embedding(arch.classes + 1, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.stem = nn.Linear(pixels, width)
        self.position = nn.Parameter(0.02 * torch.randn(side * side, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, pixels)
        for layer in (self.modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor) -> Tensor:
        """x `(B, C, H, W)`, noise `(B,)` a noise level of order one, labels `(B,)`; returns the shape of x."""
        angles = noise[:, None] * self.frequencies
        embedding = self.noise(torch.cat([angles.cos(), angles.sin()], dim=1)) + self.label(labels)
        modulation = self.modulation(functional.silu(embedding)).unflatten(1, (6, -1))
        folded = functional.pixel_unshuffle(x, self.patch)
        tokens = self.stem(folded.flatten(2).transpose(1, 2)) + self.position
        for block in self.blocks:
            tokens = block(tokens, modulation)
        predicted = self.out(self.norm(tokens)).transpose(1, 2).unflatten(2, folded.shape[2:])
        return functional.pixel_shuffle(predicted, self.patch)


class Block(nn.Module):
    """Self-attention and a two-layer perceptron, each behind a norm that the embedding scales, shifts and gates."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // _HEAD_WIDTH
        self.offset = nn.Parameter(torch.zeros(6, width))
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, modulation: Tensor) -> Tensor:
        """tokens `(B, T, width)`, modulation `(B, 6, width)`; returns the shape of tokens."""
        scale1, shift1, gate1, scale2, shift2, gate2 = (modulation + self.offset)[:, :, None].unbind(1)
        hidden = torch.addcmul(shift1, self.norm1(tokens), 1 + scale1)
        query, key, value = self.qkv(hidden).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + (1 + gate1) * self.mix(attended)
        hidden = torch.addcmul(shift2, self.norm2(tokens), 1 + scale2)
        return tokens + (1 + gate2) * self.narrow(functional.gelu(self.widen(hidden)))


class Autoencoder(nn.Module):
    """Pictures (B, 3, 4n, 4n) to latents (B, 4, n, n) and back. `scale` makes latents of standard deviation 1."""

    scale: Tensor

    def __init__(self, width: int = 48, channels: int = 4) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(images) / self.scale

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents.float() * self.scale)
