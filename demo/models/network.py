"""A small class-conditional U-Net and the two denoisers it can be trained as."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# Ends of SD 1.5's sigma table, and of a flow model's with 1000 timesteps and no shift: makers shift for large pictures.
EPS_RANGE = (0.0292, 14.6146)
# The bundled weights were trained from .003 up: below that the answer hardly changes.
FLOW_RANGE = (0.001, 1.0)

_NOISE_FEATURES = 32
_GROUPS = 8


@dataclass(frozen=True)
class Architecture:
    """The numbers that, with the weights, rebuild a network.

    Args:
        channels, size: the images are `(channels, size, size)`.
        classes: label count; the label `classes` is the null class of classifier-free guidance.
        width: feature maps at full resolution, a multiple of 8.
        patch: pixels per side folded into channels before the first layer; `size / patch` must be even.
        embedding: length of the vector that carries noise level and label.
    """

    channels: int
    size: int
    classes: int
    width: int = 32
    patch: int = 1
    embedding: int = 128


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the embedding scales and shifts the maps between them."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(_GROUPS, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        _zero(self.conv2)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = torch.addcmul(shift, self.norm2(hidden), 1 + scale)
        return self.skip(x) + self.conv2(functional.silu(hidden))


class UNet(nn.Module):
    """Two resolutions, five residual blocks: about 430 thousand parameters at width 32.

    Nothing in it mixes rows of a batch: group norm, not batch norm, and no dropout.
    """

    frequencies: Tensor

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width, emb = arch.width, arch.embedding
        pixels = arch.channels * arch.patch**2
        self.patch = arch.patch
        # Kept low on purpose: the field has to be smooth in sigma, as it is in a real model, for solver orders to show.
        self.register_buffer(
            "frequencies", torch.logspace(math.log10(0.5), math.log10(32.0), _NOISE_FEATURES // 2), persistent=False
        )
        self.noise = nn.Linear(_NOISE_FEATURES, emb)
        self.label = nn.Embedding(arch.classes + 1, emb)
        self.mix = nn.Linear(emb, emb)
        self.stem = nn.Conv2d(pixels, width, 3, padding=1)
        self.down0 = ResidualBlock(width, width, emb)
        self.shrink = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.down1 = ResidualBlock(2 * width, 2 * width, emb)
        self.middle = ResidualBlock(2 * width, 2 * width, emb)
        self.up1 = ResidualBlock(4 * width, 2 * width, emb)
        self.up0 = ResidualBlock(3 * width, width, emb)
        self.norm = nn.GroupNorm(_GROUPS, width)
        self.out = nn.Conv2d(width, pixels, 3, padding=1)
        _zero(self.out)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor) -> Tensor:
        """x `(B, C, H, W)`, noise `(B,)` a noise level of order one, labels `(B,)`; returns the shape of x."""
        angles = noise[:, None] * self.frequencies
        emb = self.noise(torch.cat([angles.cos(), angles.sin()], dim=1)) + self.label(labels)
        emb = functional.silu(self.mix(functional.silu(emb)))
        fine = self.down0(self.stem(functional.pixel_unshuffle(x, self.patch)), emb)
        coarse = self.down1(self.shrink(fine), emb)
        hidden = self.up1(torch.cat([self.middle(coarse, emb), coarse], dim=1), emb)
        hidden = functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
        hidden = self.up0(torch.cat([hidden, fine], dim=1), emb)
        return functional.pixel_shuffle(self.out(functional.silu(self.norm(hidden))), self.patch)


class Denoiser(nn.Module):
    """k-diffusion's contract with classifier-free guidance; a subclass says what the network predicts.

    The network always runs in float32. Around it the arithmetic stays in the dtype of x, so that a float64 run shows a
    solver's own error and not rounding.
    """

    sigma_min: float
    sigma_max: float
    flow: bool

    def __init__(self, arch: Architecture, network: nn.Module | None = None) -> None:
        super().__init__()
        self.arch = arch
        self.network = UNet(arch) if network is None else network

    def forward(self, x: Tensor, sigma: Tensor, *, labels: Tensor | None = None, cfg: float = 1.0) -> Tensor:
        """Estimate of the clean image.

        Args:
            x: `(B, C, H, W)` in the model's sigma space.
            sigma: `(B,)` noise std.
            labels: `(B,)` long, 0..classes; `classes`, like None, is the null class.
            cfg: guidance; `uncond + cfg * (cond - uncond)`. At 1 only the conditional pass is run.
        Returns:
            `(B, C, H, W)`, dtype and device of x; a row does not depend on the other rows.
        Raises:
            ValueError: sigma or labels is not `(B,)`.
        """
        rows = x.shape[0]
        if sigma.shape != (rows,):
            raise ValueError(f"sigma has shape {tuple(sigma.shape)}; it must be ({rows},), one per row of x")
        null = torch.full((rows,), self.arch.classes, dtype=torch.long, device=x.device)
        if labels is None:
            return self._denoised(x, sigma, null)
        if labels.shape != (rows,):
            raise ValueError(f"labels has shape {tuple(labels.shape)}; it must be ({rows},), one per row of x")
        if cfg == 1.0:
            return self._denoised(x, sigma, labels)
        both = self._denoised(torch.cat([x, x]), torch.cat([sigma, sigma]), torch.cat([labels, null]))
        cond, uncond = both.chunk(2)
        return uncond + cfg * (cond - uncond)

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """The training input at sigma `(B,)`, in this model's sigma space."""
        raise NotImplementedError

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Factor of `(denoised - clean)**2` that gives the network's own target the same weight at every sigma."""
        raise NotImplementedError

    def _denoised(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        raise NotImplementedError

    def _predict(self, x: Tensor, noise: Tensor, labels: Tensor) -> Tensor:
        return self.network(x.float(), noise.float(), labels).to(x.dtype)


class EpsDenoiser(Denoiser):
    """Noise prediction in VE space, x = clean + sigma * noise, on SD 1.5's sigma range.

    Source: Karras et al. 2022, arXiv:2206.00364, table 1, last column (preconditioning) and eq. 8.
    """

    sigma_min, sigma_max = EPS_RANGE
    flow = False

    def __init__(self, arch: Architecture, sigma_data: float) -> None:
        super().__init__(arch)
        self.sigma_data = sigma_data

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return clean + _per_row(sigma, clean) * noise

    def loss_weight(self, sigma: Tensor) -> Tensor:
        return 1 / sigma**2 + 1 / self.sigma_data**2

    def _denoised(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        s = _per_row(sigma, x)
        total = s**2 + self.sigma_data**2
        predicted = self._predict(x / total.sqrt(), sigma.log() / 4, labels)
        return self.sigma_data**2 / total * x + s * self.sigma_data / total.sqrt() * predicted


class FlowDenoiser(Denoiser):
    """Velocity prediction on the straight path x = (1 - sigma) * clean + sigma * noise, sigma up to 1.

    Source: Esser et al. 2024, arXiv:2403.03206, section 3.1 (path and target), eq. 23 (the shift behind sigma_min).
    """

    sigma_min, sigma_max = FLOW_RANGE
    flow = True

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return torch.lerp(clean, noise, _per_row(sigma, clean))

    def loss_weight(self, sigma: Tensor) -> Tensor:
        return 1 / sigma**2

    def _denoised(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        return x - _per_row(sigma, x) * self._predict(x, sigma, labels)


class Classifier(nn.Module):
    """A small convolutional classifier, trained apart from the denoisers, to judge what they draw."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width = arch.width
        self.layers = nn.Sequential(
            nn.Conv2d(arch.channels, width, 3, padding=1),
            nn.GroupNorm(_GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(_GROUPS, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (arch.size // 4) ** 2, 64),
            nn.SiLU(),
        )
        self.head = nn.Linear(64, arch.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(B, classes)` and features `(B, 64)` of images `(B, C, H, W)` in [-1, 1]."""
        features = self.layers(x.float())
        return self.head(features), features


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _per_row(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like.dtype).reshape(-1, 1, 1, 1)
