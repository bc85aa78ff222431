"""The recipe that each network of the zoo was trained by: one entry a file in weights/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from ...demo.models.network import EPS_RANGE, FLOW_RANGE, Architecture, UNet
from ...schedules.core.noise_space import SigmaRange
from ...schedules.presets.identity import Prediction
from .network import PredictingDenoiser, Transformer

# SD's table after zero-terminal-SNR rescaling: ComfyUI keeps alpha-bar at 4.8973e-8 in its last entry.
RANGES = {
    "sd": SigmaRange(*EPS_RANGE),
    "zero_snr": SigmaRange(0.0292, 4518.76),
    "edm": SigmaRange(0.002, 80.0),
    "flow1": SigmaRange(*FLOW_RANGE, flow=True),
    "flow2": SigmaRange(0.002 / 1.001, 1.0, flow=True),
    "flow3": SigmaRange(0.003 / 1.002, 1.0, flow=True),
}
_SHIFTED_SIDE = 32


def told_flow_range(side: int) -> SigmaRange:
    """Range of a flow model's noise levels as a maker would tell it for states of so many pixels a side.

    The shift grows with the side (Esser et al. 2024, arXiv:2403.03206, eq. 23); 16 pixels and less have none.
    """
    return RANGES["flow2" if side >= _SHIFTED_SIDE else "flow1"]


@dataclass(frozen=True)
class Recipe:
    """A network and its training.

    Args:
        data, size: picture set and pixels per side of the pictures.
        prediction: what the network predicts.
        range: a name of RANGES.
        network: "unet" (the demo's, two resolutions) or "transformer".
        width, patch, depth: see Architecture and Transformer; depth is the transformer's alone.
        with_classes: trained with labels, 15 % of them dropped, for classifier-free guidance.
        autoencoder: the file whose latents it works on; None for pixels.
        teacher: the network it is distilled from; None for one trained on data.
        iterations, batch, peak_rate: of the training.
        log_sigma, spread: centre and spread of log sigma (flow: of log s / (1 - s), SD3's logit-normal) in training:
            EDM's, moved to data of standard deviation 1 and up a little, because SD's range reaches higher.
    """

    data: str
    size: int
    prediction: Prediction
    range: str
    network: Literal["unet", "transformer"]
    width: int
    patch: int
    iterations: int
    depth: int = 0
    with_classes: bool = False
    autoencoder: str | None = None
    teacher: str | None = None
    batch: int = 64
    log_sigma: float = -0.4
    spread: float = 1.5
    peak_rate: float = 2e-3


RECIPES: dict[str, Recipe] = {
    "clipart16_eps": Recipe("clipart", 16, "eps", "sd", "unet", 32, 1, 10_000),
    "photographs16_flow": Recipe(
        "photographs", 16, "flow", "flow3", "transformer", 96, 2, 5_000, depth=4, batch=32, peak_rate=1e-3
    ),
    "emoji16_v": Recipe(
        "emoji", 16, "v", "zero_snr", "unet", 40, 2, 7_000, with_classes=True, log_sigma=0.2, spread=1.6
    ),
    "photographs32_eps": Recipe("photographs", 32, "eps", "sd", "unet", 32, 2, 6_000, batch=32, log_sigma=0.0),
    "lowercase16_flow": Recipe(
        "lowercase",
        16,
        "flow",
        "flow1",
        "transformer",
        64,
        2,
        5_000,
        depth=4,
        with_classes=True,
        batch=32,
        peak_rate=1e-3,
    ),
    "photographs8_eps": Recipe("photographs", 8, "eps", "sd", "unet", 32, 1, 4_000),
    "clipart8_v": Recipe("clipart", 8, "v", "sd", "unet", 32, 1, 4_000),
    "emoji8_eps": Recipe("emoji", 8, "eps", "sd", "unet", 32, 1, 4_000, with_classes=True),
    "lowercase8_eps": Recipe("lowercase", 8, "eps", "sd", "transformer", 64, 1, 4_000, depth=4, with_classes=True),
    "clipart_latent_eps": Recipe("clipart", 32, "eps", "sd", "unet", 40, 1, 3_000, autoencoder="autoencoder"),
    "photographs_latent_flow": Recipe(
        "photographs",
        32,
        "flow",
        "flow3",
        "transformer",
        96,
        1,
        5_000,
        depth=3,
        autoencoder="autoencoder",
        batch=32,
        peak_rate=1e-3,
    ),
    "photographs16_distilled": Recipe(
        "photographs",
        16,
        "flow",
        "flow3",
        "transformer",
        96,
        2,
        1_000,
        depth=4,
        batch=32,
        peak_rate=5e-4,
        teacher="photographs16_flow",
    ),
}


def build_denoiser(recipe: Recipe, channels: int, size: int, classes: int) -> PredictingDenoiser:
    """The untrained network of a recipe, for states (channels, size, size)."""
    arch = Architecture(channels, size, classes, width=recipe.width, patch=recipe.patch)
    network: nn.Module = UNet(arch) if recipe.network == "unet" else Transformer(arch, recipe.depth)
    return PredictingDenoiser(arch, network, recipe.prediction, RANGES[recipe.range])
